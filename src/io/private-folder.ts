import { mkdir, stat, statfs } from "node:fs/promises";
import { ArchRouteError } from "../core/errors.js";

/** Makes a folder that only the user can enter, or checks one that is there. Throws E_DOWNLOAD. */
export async function preparePrivateFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new ArchRouteError("E_DOWNLOAD", `${folder}: cannot be made: ${(cause as Error).message}`, {
      hint: "set XDG_CACHE_HOME to a folder that can be written",
      cause,
    });
  }
  const fault = await folderFault(folder);
  if (fault !== undefined) throw new ArchRouteError("E_DOWNLOAD", `${folder}: ${fault.why}`, { hint: fault.hint });
}

/** Why others could put files of theirs into a folder; undefined: they could not, or there is no folder. */
export async function folderFault(
  folder: string,
): Promise<{ readonly why: string; readonly hint: string } | undefined> {
  // On Windows the profile folder's access list does this, and there are no such bits.
  const user = process.getuid?.();
  const stats = await stat(folder).catch(() => undefined);
  if (user === undefined || stats === undefined) return undefined;
  if (stats.uid !== user) return { why: "it belongs to another user", hint: "set XDG_CACHE_HOME to a folder of yours" };
  if ((stats.mode & 0o022) === 0) return undefined;
  return { why: "others may write into it", hint: `run chmod go-w '${folder}'` };
}

/** Bytes that may be written to where a folder is; undefined if the system does not say. */
export async function freeSpace(folder: string): Promise<number | undefined> {
  const stats = await statfs(folder).catch(() => undefined);
  return stats && stats.bavail * stats.bsize;
}
