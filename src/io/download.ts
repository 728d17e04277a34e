import { chmod, type FileHandle, open, rename, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ArchRouteError } from "../core/errors.js";
import { pageFault } from "./hub.js";
import type { HubClient, HubResponse } from "./hub-client.js";
import { faultOfCause } from "./hub-faults.js";
import { adoptPart, newPart, type Part, tagOf } from "./part-file.js";
import { freeSpace, preparePrivateFolder } from "./private-folder.js";
import { type Retries, TransferFault, withRetries } from "./retry.js";
import { hashFile } from "./verified.js";

/** What to fetch, and where to. */
export interface Download extends Retries {
  /** Where the bytes are, below the hub's address. */
  readonly from: string;
  /** Folder and name of the file; a file that is there is replaced once the new one is whole. */
  readonly folder: string;
  readonly file: string;
  /** Bytes. */
  readonly size: number;
  readonly sha256: string;
  /** Told how many bytes are there. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
  /** Run when all is there and right, before the file appears under its path. */
  readonly beforeRename?: (path: string) => Promise<void>;
}

/** Bytes that are left free on the disk. */
const RESERVE = 64 << 20;

/**
 * Fetches a file: whole and with the right sha256, or not at all. What a run that was cut off left is continued if the
 * server still has the same bytes (ETag) and sends exactly the rest (206). Returns the path. Throws E_DOWNLOAD.
 *
 * Not node-llama-cpp's downloader: that one has no checksum and compares sizes only, continues without asking for the
 * ETag, follows redirects to anywhere, and locks within one process only.
 */
export async function download(client: HubClient, job: Download): Promise<string> {
  await preparePrivateFolder(job.folder);
  const run: Run = { client, job, part: await adoptPart(job.folder, job.file), offset: 0 };
  if (run.part) run.offset = (await stat(run.part.path)).size;
  await checkSpace(job, run.offset);
  try {
    await withRetries(
      job.file,
      job,
      () => fetchRest(run),
      () => run.offset,
    );
    return await finish(run);
  } catch (error) {
    throw await give(run, error);
  }
}

/** A download under way. */
interface Run {
  readonly client: HubClient;
  readonly job: Download;
  part: Part | undefined;
  /** Bytes of the part. */
  offset: number;
}

/** Asks for what is missing and appends it. */
async function fetchRest(run: Run): Promise<void> {
  const { client, job } = run;
  if (run.offset > job.size) await startOver(run);
  if (run.offset === job.size) return;
  const headers = run.offset > 0 ? { range: `bytes=${run.offset}-` } : undefined;
  const response = await client.get(job.from, headers);
  const file = await openFor(run, response).catch(async (error) => {
    await response.body.dump({ limit: 0 }).catch(() => undefined);
    throw error;
  });
  try {
    await append(run, response, file);
    await file.sync();
  } finally {
    await file.close();
  }
  if (run.offset < job.size) throw new TransferFault(`${client.base.host}: the transfer ended early`, { again: true });
}

/** The part that a response continues, open for writing, or a new one. Throws TransferFault if it continues nothing. */
async function openFor(run: Run, { statusCode, headers }: HubResponse): Promise<FileHandle> {
  const { job, client } = run;
  const tag = tagOf(headers["etag"]);
  if (statusCode === 206 && run.offset > 0 && run.part?.tag !== undefined && run.part.tag === tag) {
    const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(String(headers["content-range"]));
    if (Number(range?.[1]) === run.offset && Number(range?.[2]) === job.size) return await open(run.part.path, "r+");
  }
  if (statusCode !== 200) {
    // Other bytes than those that are here, or not those that were asked for: from zero.
    await startOver(run);
    throw new TransferFault(`${client.base.host}: the file has changed since its beginning was fetched`, {
      again: true,
    });
  }
  checkWhole(headers, job, client.base.host);
  await startOver(run);
  run.part = newPart(job.folder, job.file, tag);
  return await open(run.part.path, "wx", 0o600);
}

/** Throws TransferFault for what cannot be the whole file. */
function checkWhole(headers: HubResponse["headers"], { size }: Download, host: string): void {
  if (/^text\/html/i.test(String(headers["content-type"]))) throw pageFault(host);
  const length = headers["content-length"];
  if (headers["content-encoding"] === undefined && (length === undefined || Number(length) === size)) return;
  const why = headers["content-encoding"] ? "compressed" : `${length} bytes long, not ${size}`;
  throw new TransferFault(`${host}: what it sends is ${why}`, { again: false, hint: "try again later" });
}

async function append(run: Run, { body }: HubResponse, file: FileHandle): Promise<void> {
  const { job, client } = run;
  const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  for (;;) {
    const next = await chunks.next().catch((cause) => {
      throw faultOfCause(cause, client.base.host);
    });
    if (next.done) return;
    if (run.offset + next.value.length > job.size) {
      await startOver(run);
      const hint = "try again later";
      throw new TransferFault(`${client.base.host}: it sends more than ${job.size} bytes`, { again: false, hint });
    }
    await writeAll(file, next.value, run.offset);
    run.offset += next.value.length;
    job.onProgress?.(run.offset);
  }
}

/** A single write may take less than it was given. */
async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
  }
}

async function startOver(run: Run): Promise<void> {
  if (run.part) await unlink(run.part.path).catch(() => undefined);
  run.part = undefined;
  run.offset = 0;
}

/** Checks the bytes as they lie on the disk, and lets the file appear. */
async function finish(run: Run): Promise<string> {
  const { job, part } = run;
  if (part === undefined) throw new Error("a download ended without a file");
  const found = await hashFile(part.path);
  if (found !== job.sha256) {
    await startOver(run);
    throw new ArchRouteError("E_DOWNLOAD", `${job.file}: its sha256 is ${found}, not ${job.sha256}: removed`, {
      hint: "run it again; if it stays so, a proxy or a mirror alters it",
    });
  }
  const path = join(job.folder, job.file);
  await chmod(part.path, 0o600);
  await job.beforeRename?.(path);
  await rename(part.path, path);
  await syncFolder(dirname(path));
  return path;
}

/** Makes the new name last through a power cut, where folders can be synced. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

async function checkSpace({ folder, size, file }: Download, there: number): Promise<void> {
  const free = await freeSpace(folder);
  const needed = size - there + RESERVE;
  if (free === undefined || free >= needed) return;
  throw new ArchRouteError(
    "E_DOWNLOAD",
    `${file}: not enough space: ${megabytes(needed)} needed, ${megabytes(free)} free in ${folder}`,
    { hint: "make room, or set XDG_CACHE_HOME to a folder on another disk" },
  );
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6)} MB`;
}

/** An error of the disk as E_DOWNLOAD; then nothing is left of the part. Others keep it, to go on from. */
async function give(run: Run, error: unknown): Promise<unknown> {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof ArchRouteError || code === undefined || run.job.signal?.aborted) return error;
  await startOver(run);
  const why = code === "ENOSPC" ? "no space left on the disk" : message;
  return new ArchRouteError("E_DOWNLOAD", `${run.job.file}: cannot be written: ${why}`, {
    hint: "make room, or set XDG_CACHE_HOME to a folder on another disk",
    cause: error,
  });
}
