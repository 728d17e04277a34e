import { isUtf8 } from "node:buffer";
import { createReadStream, fstatSync, statSync } from "node:fs";
import type { Readable } from "node:stream";
import { ArchRouteError } from "../core/errors.js";
import { detectFormat, formatByName, type InputFormat } from "./input-format.js";
import { readAll, splitLines } from "./lines.js";

/** A place to read from: a file's path, or `-` for standard input. */
export type Source = string;

export interface InputOptions {
  readonly stdin: Readable;
  readonly format: InputFormat | "auto";
  /** Bytes that one record may have. */
  readonly maxRecordBytes: number;
}

/** A record as it was read, or why it could not be. */
export type RawRecord = {
  readonly source: Source;
  /** Where the record begins in its source, from 1. */
  readonly line: number;
  /** Undefined for a source that could not be opened and whose name does not tell. */
  readonly format: InputFormat | undefined;
  /** Share of all input that is read with it, 0 to 1; absent where nobody knows how much there is. */
  readonly share?: number;
} & ({ readonly text: string } | { readonly error: ArchRouteError });

export const STDIN = "-";

/** Reads the records of all sources in order; what cannot be read becomes an error in its place, and the rest goes on. */
export async function* readRecords(sources: readonly Source[], options: InputOptions): AsyncGenerator<RawRecord> {
  const sizes = sources.map((source) => sizeOf(source, options));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  let before = 0;
  for (const [index, source] of sources.entries()) {
    let line = 0;
    let format = formatOf(source, options);
    try {
      for await (const { end, ...record } of readSource(source, options)) {
        ({ line, format } = record);
        // A file may have grown since it was looked at.
        yield total > 0 ? { ...record, share: Math.min(1, (before + end) / total) } : record;
      }
    } catch (cause) {
      if (cause instanceof ArchRouteError) throw cause;
      yield { source, line: line + 1, format, error: readError(source, cause as NodeJS.ErrnoException) };
    }
    before += sizes[index] ?? 0;
  }
}

/** Bytes of a source that is a file; of a pipe NaN: there is no telling. */
function sizeOf(source: Source, { stdin }: InputOptions): number {
  try {
    const stats = source === STDIN ? fstatSync((stdin as { fd?: number }).fd ?? -1) : statSync(source);
    return stats.isFile() ? stats.size : Number.NaN;
  } catch {
    return Number.NaN;
  }
}

/** All text of the sources together, as text; throws what readRecords would yield. */
export async function readWhole(sources: readonly Source[], options: InputOptions): Promise<string> {
  const texts: string[] = [];
  for await (const record of readRecords(sources, { ...options, format: "text" })) {
    if ("error" in record) throw record.error;
    texts.push(record.text);
  }
  return texts.join("\n\n");
}

/** Whether something was piped or redirected into this process; a terminal and the null device are no input. */
export function isPiped(stdin: Readable & { readonly isTTY?: boolean; readonly fd?: number }): boolean {
  if (stdin.isTTY) return false;
  if (stdin.fd === undefined) return true;
  try {
    // Node opens the null device in place of a closed standard input.
    return !fstatSync(stdin.fd).isCharacterDevice();
  } catch {
    return false;
  }
}

/** Whether two paths lead to the same file that exists. */
export function isSameFile(a: string, b: string): boolean {
  try {
    const [one, other] = [statSync(a), statSync(b)];
    return one.isFile() && one.dev === other.dev && one.ino === other.ino;
  } catch {
    return false;
  }
}

async function* readSource(
  source: Source,
  options: InputOptions,
): AsyncGenerator<RawRecord & { readonly end: number }> {
  const bytes = source === STDIN ? options.stdin : createReadStream(source);
  const named = formatOf(source, options);
  const { format, chunks } =
    named === undefined
      ? await detectFormat(buffers(bytes), options.maxRecordBytes)
      : { format: named, chunks: buffers(bytes) };
  const records = format === "jsonl" || format === "lines" ? byLine(chunks, options) : asOne(chunks, options);
  for await (const { line, ...record } of records) yield { source, line, format, ...record };
}

/** The format that the user or the source's name gives; undefined: to be found out by reading. */
function formatOf(source: Source, options: InputOptions): InputFormat | undefined {
  return options.format === "auto" ? formatByName(source) : options.format;
}

type Decoded = { readonly line: number } & ({ readonly text: string } | { readonly error: ArchRouteError });
type Piece = Decoded & { readonly end: number };

async function* byLine(chunks: AsyncIterable<Buffer>, { maxRecordBytes }: InputOptions): AsyncGenerator<Piece> {
  for await (const { number, bytes, end } of splitLines(chunks, maxRecordBytes)) {
    const piece = { ...decode(number, bytes, maxRecordBytes), end };
    if ("error" in piece || piece.text.trim() !== "") yield piece;
  }
}

async function* asOne(chunks: AsyncIterable<Buffer>, { maxRecordBytes }: InputOptions): AsyncGenerator<Piece> {
  const bytes = await readAll(chunks, maxRecordBytes);
  const piece = { ...decode(1, bytes, maxRecordBytes), end: bytes?.length ?? 0 };
  if ("error" in piece) yield piece;
  // The newline that ends a file, and how lines end, are no part of what was said.
  else if (piece.text.trim() !== "") yield { ...piece, text: piece.text.replace(/\r\n/g, "\n").replace(/\n+$/, "") };
}

function decode(line: number, bytes: Buffer | undefined, limit: number): Decoded {
  if (bytes === undefined) {
    const hint = "raise --max-record-bytes";
    return { line, error: new ArchRouteError("E_TOO_LARGE", `the record has more than ${limit} bytes`, { hint }) };
  }
  if (!isUtf8(bytes)) {
    const at = firstBadByte(bytes);
    const inLine = bytes.subarray(0, at).lastIndexOf(0x0a) + 1;
    const badLine = line + bytes.subarray(0, at).reduce((count, byte) => count + (byte === 0x0a ? 1 : 0), 0);
    return { line, error: new ArchRouteError("E_UTF8", `not valid UTF-8 (line ${badLine}, byte ${at - inLine + 1})`) };
  }
  const text = bytes.toString("utf8");
  return { line, text: line === 1 ? text.replace(/^\ufeff/, "") : text };
}

/** Offset of the first byte that is not part of a valid UTF-8 character. */
function firstBadByte(bytes: Buffer): number {
  let [low, high] = [0, bytes.length];
  // The longest beginning that more bytes could make valid; what is left of a character at its end is the fault.
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (beginsWell(bytes.subarray(0, middle))) low = middle;
    else high = middle - 1;
  }
  while (!isUtf8(bytes.subarray(0, low))) low--;
  return low;
}

function beginsWell(bytes: Buffer): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}

async function* buffers(stream: Readable): AsyncGenerator<Buffer> {
  for await (const chunk of stream) yield typeof chunk === "string" ? Buffer.from(chunk) : (chunk as Buffer);
}

function readError(source: Source, cause: NodeJS.ErrnoException): ArchRouteError {
  const reasons = new Map([
    ["ENOENT", "no such file"],
    ["EISDIR", "it is a folder"],
    ["EACCES", "it may not be read"],
  ]);
  const why = reasons.get(cause.code ?? "") ?? cause.message;
  const name = source === STDIN ? "standard input" : source;
  return new ArchRouteError("E_READ", `${name}: ${why}`, { cause });
}
