import { createHash, type Hash, randomBytes } from "node:crypto";
import { constants, type Stats } from "node:fs";
import { type FileHandle, lstat, mkdir, open, readdir, rename, stat, unlink, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";

/**
 * A folder of results that took time to compute, one file each, for any number of processes at once. A file is handed
 * out only if it is whole, unchanged and made from what is asked for; whatever is wrong, the result is computed again.
 */
export interface CheckedFiles {
  /** The file that was made from `source`; undefined: there is none that can be used. */
  find(source: Source): Promise<CheckedFile | undefined>;
  /** Makes that file: `write` gets the path of an empty one and returns how many bytes it has put there. Never rejects. */
  store(source: Source, write: (path: string) => Promise<number>): Promise<void>;
  /** Removes a file that turned out to be of no use. */
  remove(source: Source): Promise<void>;
}

/** What a result was computed from, beside what all results of the folder have in common. */
export type Source = readonly (readonly number[])[];

interface CheckedFile {
  readonly path: string;
  /** Bytes of content; what follows in the file is for the check. */
  readonly length: number;
}

export interface CheckedFilesOptions {
  readonly folder: string;
  /** What all its results depend on: files made with another one are not found. */
  readonly identity: string;
  /** Told at most once why files cannot be kept. */
  readonly warn?: ((message: string) => void) | undefined;
}

/** Files that are kept, the last used ones. */
const MOST_FILES = 20;
/** Milliseconds after which a temporary file counts as forgotten. */
const FORGOTTEN = 24 * 60 * 60 * 1000;
const fileName = /^[0-9a-f]{64}$/;
const temporaryName = /^\.[0-9a-f]{64}\.\d+\.[0-9a-f]{8}\.tmp$/;

// After the content: magic (8 bytes), its length (8), the key (32), then the sha256 of all before (32).
const MAGIC = Buffer.from("arch-rt1");
const SEAL = 48;
const TRAILER = SEAL + 32;
const CHUNK = 1 << 20;

/** The folder is made when it is first needed, for the user alone; one that others may write into is not used. */
export function createCheckedFiles({ folder, identity, warn }: CheckedFilesOptions): CheckedFiles {
  let usable: Promise<boolean> | undefined;
  let warned = false;
  const keyOf = (source: Source) =>
    createHash("sha256")
      .update(JSON.stringify([identity, source]))
      .digest("hex");

  function complain(what: string): void {
    if (!warned) warn?.(`cache ${folder}: ${what}: nothing is kept for the next run`);
    warned = true;
  }

  async function prepare(): Promise<boolean> {
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      // The folder itself must be no link; the user may well have put all caches elsewhere.
      const fault = faultOf(folder, await lstat(folder)) ?? faultOf(dirname(folder), await stat(dirname(folder)));
      if (fault !== undefined) complain(fault);
      return fault === undefined;
    } catch (cause) {
      complain(`cannot be made (${reasonOf(cause)})`);
      return false;
    }
  }

  function isUsable(): Promise<boolean> {
    usable ??= prepare();
    return usable;
  }

  return {
    async find(source) {
      if (!(await isUsable())) return undefined;
      const key = keyOf(source);
      const path = join(folder, key);
      const length = await check(path, key);
      if (length === undefined) return undefined;
      // Says that it is in use still; a folder that can only be read stays as it is.
      await utimes(path, new Date(), new Date()).catch(() => undefined);
      return { path, length };
    },
    async store(source, write) {
      if (!(await isUsable())) return;
      const key = keyOf(source);
      const temporary = join(folder, `.${key}.${process.pid}.${randomBytes(4).toString("hex")}.tmp`);
      try {
        await (await open(temporary, "wx", 0o600)).close();
        await seal(temporary, key, await write(temporary));
        await rename(temporary, join(folder, key));
        await tidy(folder);
      } catch (cause) {
        await unlink(temporary).catch(() => undefined);
        complain(`cannot be written (${reasonOf(cause)})`);
      }
    },
    remove: (source) => unlink(join(folder, keyOf(source))).catch(() => undefined),
  };
}

/** Length of the content of a file that is what it should be. One that is not is removed. */
async function check(path: string, key: string): Promise<number | undefined> {
  let file: FileHandle;
  try {
    // A link is not followed, a pipe not waited for.
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  const length = await sealedLength(file, key).catch(() => undefined);
  await file.close();
  if (length === undefined) await unlink(path).catch(() => undefined);
  return length;
}

async function sealedLength(file: FileHandle, key: string): Promise<number | undefined> {
  const stats = await file.stat();
  const length = stats.size - TRAILER;
  if (!stats.isFile() || faultOf("", stats) !== undefined || length < 0) return undefined;
  const { buffer: trailer } = await file.read(Buffer.alloc(TRAILER), 0, TRAILER, length);
  const expected = sealOf(key, length);
  if (!trailer.subarray(0, SEAL).equals(expected)) return undefined;
  const sum = (await hashContent(file, length)).update(expected).digest();
  return trailer.subarray(SEAL).equals(sum) ? length : undefined;
}

/** Ends a file of so many bytes with its trailer, and has it on the disk before it gets its name. */
async function seal(path: string, key: string, length: number): Promise<void> {
  const file = await open(path, "r+");
  try {
    const { size } = await file.stat();
    // Native code does not always notice that its last bytes did not fit.
    if (size !== length) throw new Error(`${size} of ${length} bytes were written`);
    const seal = sealOf(key, length);
    const sum = (await hashContent(file, length)).update(seal).digest();
    await file.write(Buffer.concat([seal, sum]), 0, TRAILER, length);
    await file.sync();
  } finally {
    await file.close();
  }
}

function sealOf(key: string, length: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(length));
  return Buffer.concat([MAGIC, bytes, Buffer.from(key, "hex")]);
}

async function hashContent(file: FileHandle, length: number): Promise<Hash> {
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK, length));
  for (let at = 0; at < length; ) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(CHUNK, length - at), at);
    if (bytesRead === 0) throw new Error("the file became shorter");
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  return hash;
}

/** What the system said, without the call and the path that Node adds. */
function reasonOf(cause: unknown): string {
  return (cause as Error).message.split(", ")[0] ?? "";
}

/** Why somebody else can have put something there. On Windows the profile folder's access list sees to that. */
function faultOf(path: string, stats: Stats): string | undefined {
  const user = process.getuid?.();
  if (stats.isSymbolicLink()) return "it is a link";
  if (user === undefined) return undefined;
  if (stats.uid !== user) return "it belongs to another user";
  return (stats.mode & 0o022) === 0 ? undefined : `others may write into it (run chmod go-w '${path}')`;
}

/** Removes forgotten temporary files, and those that were used least lately. */
async function tidy(folder: string): Promise<void> {
  const kept: { readonly path: string; readonly used: number }[] = [];
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const used = await lstat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => undefined,
    );
    if (used === undefined) continue;
    if (fileName.test(name)) kept.push({ path, used });
    else if (temporaryName.test(name) && Date.now() - used > FORGOTTEN) await unlink(path).catch(() => undefined);
  }
  const surplus = kept.sort((a, b) => b.used - a.used).slice(MOST_FILES);
  await Promise.all(surplus.map(({ path }) => unlink(path).catch(() => undefined)));
}
