import { createHash, randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Folders } from "./folders.js";

/** Milliseconds after which a session is forgotten: a day. */
const LIFETIME = 24 * 60 * 60 * 1000;

/** Which of these routes the session was last on; undefined: none, or it is forgotten. Only hashes are on the disk. */
export async function readSession(
  folders: Folders,
  id: string,
  routes: readonly string[],
): Promise<string | undefined> {
  const path = join(folder(folders), hash(id));
  try {
    if (Date.now() - (await stat(path)).mtimeMs > LIFETIME) return undefined;
    const known = (await readFile(path, "utf8")).trim();
    return routes.find((route) => hash(route) === known);
  } catch {
    return undefined;
  }
}

/** Notes the session's route and sweeps out the sessions that are forgotten. Throws if the folder cannot be written. */
export async function writeSession(folders: Folders, id: string, route: string): Promise<void> {
  const path = join(folder(folders), hash(id));
  const temporary = `${path}.${randomUUID()}.tmp`;
  await mkdir(folder(folders), { recursive: true, mode: 0o700 });
  await writeFile(temporary, `${hash(route)}\n`, { mode: 0o600, flag: "wx" });
  await rename(temporary, path);
  await sweep(folder(folders));
}

async function sweep(path: string): Promise<void> {
  for (const name of await readdir(path)) {
    const file = join(path, name);
    const age =
      Date.now() -
      (await stat(file).then(
        ({ mtimeMs }) => mtimeMs,
        () => Date.now(),
      ));
    if (age > LIFETIME) await rm(file, { force: true });
  }
}

function folder(folders: Folders): string {
  return join(folders.state, "sessions");
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
