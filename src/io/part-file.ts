import { createHash, randomBytes } from "node:crypto";
import { readdir, rename, stat, unlink } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { isAlive } from "./alive.js";

/**
 * The beginning of a download. Its name says which file and which state of it (the ETag) it is the beginning of, and
 * whose it is: nobody else writes to it, so that two processes never mix their bytes, locks or no locks.
 */
export interface Part {
  readonly path: string;
  /** Stands for the ETag; undefined: there was none to go by, so the part must not be continued. */
  readonly tag: string | undefined;
}

/** Milliseconds after which a part counts as forgotten. */
const FORGOTTEN = 24 * 60 * 60 * 1000;
const partName = /^\.(.+)\.([0-9a-f]{16}|none)\.([0-9a-f]{8})\.(\d+)-[0-9a-f]{8}\.part$/;

/** A part to begin with. */
export function newPart(folder: string, file: string, tag: string | undefined): Part {
  const owner = `${machine()}.${process.pid}-${randomBytes(4).toString("hex")}`;
  return { path: join(folder, `.${file}.${tag ?? "none"}.${owner}.part`), tag };
}

/** What an ETag becomes in a name. Weak ones do not promise equal bytes. */
export function tagOf(etag: string | string[] | undefined): string | undefined {
  if (typeof etag !== "string" || etag === "" || etag.startsWith("W/")) return undefined;
  return createHash("sha256").update(etag).digest("hex").slice(0, 16);
}

/**
 * The largest part of a file that a process of this machine left when it died, renamed to be ours: of several that try,
 * one succeeds. Undefined without one. Parts older than a day are removed, whosever they are.
 */
export async function adoptPart(folder: string, file: string): Promise<Part | undefined> {
  const left: { name: string; tag: string; size: number }[] = [];
  for (const name of await readdir(folder)) {
    const [, of, tag = "none", host, pid] = partName.exec(name) ?? [];
    if (of === undefined) continue;
    const stats = await stat(join(folder, name)).catch(() => undefined);
    if (stats === undefined) continue;
    if (Date.now() - stats.mtimeMs > FORGOTTEN) await unlink(join(folder, name)).catch(() => undefined);
    else if (of === file && tag !== "none" && host === machine() && !isAlive(Number(pid)))
      left.push({ name, tag, size: stats.size });
  }
  for (const { name, tag } of left.sort((a, b) => b.size - a.size)) {
    const part = newPart(folder, file, tag);
    const isOurs = await rename(join(folder, name), part.path).then(
      () => true,
      () => false,
    );
    if (isOurs) return part;
  }
  return undefined;
}

/** Process ids mean nothing on another machine that shares the folder. */
function machine(): string {
  return createHash("sha256").update(hostname()).digest("hex").slice(0, 8);
}
