import { randomBytes } from "node:crypto";
import { open, readFile, stat, unlink } from "node:fs/promises";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive, startTime } from "./alive.js";

/** Who has a lock, as the file says. */
interface Holder {
  /** Of this lock and no other. */
  readonly id: string;
  readonly pid: number;
  readonly host: string;
  /** Tells a recycled process id; absent where the system does not say. */
  readonly started?: string | undefined;
}

/** Another process has the lock. */
export class Locked extends Error {
  constructor(
    readonly path: string,
    readonly pid: number,
    /** The other process's machine, if it is not this one. */
    readonly host: string | undefined,
  ) {
    super(`locked by process ${pid}`);
  }
}

/** Milliseconds after which a lock without a name in it is one whose writer died before it wrote. */
const WRITING = 1000;
const POLL = 20;

/**
 * Takes a lock: a file that says who has it. One whose process is gone is taken over; of several that try at once, one
 * gets it. Returns what gives it back. Rejects with Locked, and with what keeps the file from being written.
 */
export async function takeLock(path: string): Promise<() => Promise<void>> {
  const id = randomBytes(8).toString("hex");
  const holder: Holder = { id, pid: process.pid, host: hostname(), started: startTime(process.pid) };
  await take(path, `${JSON.stringify(holder)}\n`);
  return () => removeIf(path, id);
}

async function take(path: string, holder: string): Promise<void> {
  while (!(await create(path, holder))) {
    const other = await readHolder(path);
    // Given back in the meantime.
    if (other === undefined) continue;
    if (isHeld(other)) throw new Locked(path, other.pid, other.host === hostname() ? undefined : other.host);
    // One process alone may remove what it found, or the second would remove what the first has put there.
    const claim = `${path}.${other.id}`;
    await take(claim, holder);
    try {
      await removeIf(path, other.id);
    } finally {
      await unlink(claim);
    }
  }
}

/** Writes a lock; false if there is one. */
async function create(path: string, holder: string): Promise<boolean> {
  const handle = await open(path, "wx", 0o600).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "EEXIST") return undefined;
    throw error;
  });
  if (handle === undefined) return false;
  try {
    await handle.writeFile(holder);
  } catch (error) {
    await unlink(path);
    throw error;
  } finally {
    await handle.close();
  }
  // Whoever was kept from writing for so long that it counted as dead has lost the lock.
  return (await readText(path)) === holder;
}

/** Undefined: there is no lock. A lock without a name belongs to a process that cannot be alive: id is its inode. */
async function readHolder(path: string): Promise<Holder | undefined> {
  for (const began = Date.now(); ; await sleep(POLL)) {
    const text = await readText(path);
    if (text === undefined) return undefined;
    const holder = parseHolder(text);
    if (holder !== undefined) return holder;
    const inode = await stat(path).then(
      ({ ino }) => ino,
      () => undefined,
    );
    if (inode === undefined) return undefined;
    if (Date.now() - began > WRITING) return { id: String(inode), pid: 0, host: hostname() };
  }
}

function parseHolder(text: string): Holder | undefined {
  try {
    const { id, pid, host, started } = JSON.parse(text) as Record<string, unknown>;
    // The id becomes part of a file's name.
    if (typeof id !== "string" || !/^[0-9a-f]{16}$/.test(id)) return undefined;
    if (typeof pid !== "number" || typeof host !== "string") return undefined;
    return { id, pid, host, started: typeof started === "string" ? started : undefined };
  } catch {
    return undefined;
  }
}

/** A process of another machine cannot be asked, and counts as alive. */
function isHeld({ pid, host, started }: Holder): boolean {
  return host !== hostname() || (pid > 0 && isAlive(pid, started));
}

async function removeIf(path: string, id: string): Promise<void> {
  if ((await readHolder(path))?.id === id) await unlink(path);
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
