import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readFile, rename, stat, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ArchRouteError } from "../core/errors.js";
import type { Folders } from "./folders.js";
import { folderFault } from "./private-folder.js";

/**
 * Checks a file against its sha256, once for each state of the file that size, time and inode can tell apart.
 * `hint`: what to do if it is damaged. Throws E_MODEL.
 */
export async function verify(
  path: string,
  sha256: string,
  folders: Folders,
  hint = "install arch-route again",
): Promise<void> {
  if (await isVerified(path, sha256, folders)) return;
  const state = await stateOf(path, sha256, hint);
  const found = await hashFile(path);
  if (found !== sha256) {
    throw new ArchRouteError("E_MODEL", `model ${path}: damaged: its sha256 is ${found}, not ${sha256}`, { hint });
  }
  await remember(path, state, folders);
}

/** Whether a file was found to have this sha256 and has not changed since, as far as its size, time and inode tell. */
export async function isVerified(path: string, sha256: string, folders: Folders): Promise<boolean> {
  const state = await stateOf(path, sha256, "").catch(() => undefined);
  return state !== undefined && (await readKnown(folders)).includes(state);
}

/** Records that a file has this sha256, as whoever just read all of it knows. */
export async function markVerified(path: string, sha256: string, folders: Folders): Promise<void> {
  await remember(path, await stateOf(path, sha256, ""), folders);
}

/** The sha256 of a file's bytes, in hexadecimal. Throws E_MODEL if it cannot be read. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  } catch (cause) {
    throw new ArchRouteError("E_MODEL", `model ${path}: cannot be read: ${(cause as Error).message}`, { cause });
  }
  return hash.digest("hex");
}

async function stateOf(path: string, sha256: string, hint: string): Promise<string> {
  const { size, mtimeMs, ino } = await stat(path).catch((cause: Error) => {
    throw new ArchRouteError("E_MODEL", `model ${path}: ${cause.message}`, { hint, cause });
  });
  return [path, size, mtimeMs, ino, sha256].join("\t");
}

async function readKnown(folders: Folders): Promise<string[]> {
  // Where others may write, the list is theirs as much as ours.
  if ((await folderFault(folders.cache)) !== undefined) return [];
  try {
    return (await readFile(verifiedFile(folders), "utf8")).split("\n").filter((line) => line !== "");
  } catch {
    return [];
  }
}

async function remember(path: string, state: string, folders: Folders): Promise<void> {
  const temporary = `${verifiedFile(folders)}.${process.pid}.${randomBytes(4).toString("hex")}.tmp`;
  try {
    await mkdir(folders.cache, { recursive: true, mode: 0o700 });
    const others = (await readKnown(folders)).filter((line) => !line.startsWith(`${path}\t`));
    await writeFile(temporary, `${[...others, state].join("\n")}\n`, { mode: 0o600, flag: "wx" });
    await rename(temporary, verifiedFile(folders));
  } catch {
    // Nothing depends on it: the file is read again next time.
    await unlink(temporary).catch(() => undefined);
  }
}

function verifiedFile(folders: Folders): string {
  return join(folders.cache, "verified");
}
