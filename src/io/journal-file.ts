import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { ArchRouteError } from "../core/errors.js";

/** What the output depends on beside the input, by name: each is the same for all records of an unbroken run. */
export type Settings = Readonly<Record<string, string>>;

/** A record that is done. */
export interface Entry {
  /** Counted from 1. */
  readonly sequence: number;
  /** Hash of the record as it was read. */
  readonly content: string;
  /** Bytes of the output up to the end of this record's part. */
  readonly end: number;
  /** Hash of that part. */
  readonly check: string;
  /** What else is to be remembered; without a line end. */
  readonly note: string;
}

/** How far a journal and its output agree. */
export interface Survey {
  readonly records: number;
  /** Bytes of the journal and of the output that are good. */
  readonly journalEnd: number;
  readonly outputEnd: number;
  /** With which settings the records were done: those from record `first` on. */
  readonly settings: readonly { readonly first: number; readonly settings: Settings }[];
}

/** A record's part of the output is there, but not as the journal says. */
export class OutputChanged extends Error {
  constructor(readonly sequence: number) {
    super(`the output of record ${sequence} has changed`);
  }
}

const LF = 0x0a;
/** No line is as long as that: what goes on further is none. */
const LONGEST_LINE = 1 << 20;
const entryLine = /^(\d+) ([0-9a-f]{32}) (\d+) ([0-9a-f]{16}) (.*)$/;

/**
 * A journal is text. A line of JSON holds the settings of the records after it; each of these has a line
 * `sequence content end check note`.
 */
export function formatEntry({ sequence, content, end, check, note }: Entry): string {
  return `${sequence} ${content} ${end} ${check} ${note}\n`;
}

export function formatSettings(settings: Settings): string {
  return `${JSON.stringify(settings)}\n`;
}

/** The hash of a record's part of the output. */
export function startCheck(): Hash {
  return createHash("sha256");
}

export function finishCheck(hash: Hash): string {
  return hash.digest("hex").slice(0, 16);
}

/** The records of a journal, up to the first line that is not whole, or to byte `end`. */
export async function* readEntries(path: string, end = Number.POSITIVE_INFINITY): AsyncGenerator<Entry> {
  for await (const line of readLines(path)) {
    if (line.end > end) return;
    if ("entry" in line) yield line.entry;
  }
}

/**
 * Compares a journal with its output, in one pass over both: a survey of all that is good, and one that leaves out what
 * `isVoid` says of notes at the very end. Rejects with OutputChanged; a piece of output that is missing, or that a power
 * failure left empty, only ends what is good. Throws E_USAGE for a file that cannot be read.
 */
export async function surveyJournal(
  journal: string,
  output: string,
  isVoid: (note: string) => boolean,
): Promise<{ readonly good: Survey; readonly done: Survey }> {
  let good: Survey = { records: 0, journalEnd: 0, outputEnd: 0, settings: [] };
  let done = good;
  const pieces = readPieces(output);
  try {
    for await (const line of readLines(journal)) {
      if ("settings" in line) {
        const settings = [...good.settings, { first: good.records + 1, settings: line.settings }];
        good = { ...good, journalEnd: line.end, settings };
        if (done.records === good.records) done = good;
        continue;
      }
      const { sequence, end, check, note } = line.entry;
      if (good.settings.length === 0 || sequence !== good.records + 1 || end < good.outputEnd) break;
      const piece = await pieces.take(end - good.outputEnd);
      if (!piece.isWhole) break;
      if (piece.check !== check) throw new OutputChanged(sequence);
      good = { ...good, records: sequence, journalEnd: line.end, outputEnd: end };
      if (!isVoid(note)) done = good;
    }
  } finally {
    pieces.close();
  }
  return { good, done };
}

type Line = { readonly end: number } & ({ readonly entry: Entry } | { readonly settings: Settings });

/** The lines of a journal with the byte at which each ends, up to the first that is not whole. No file: no lines. */
async function* readLines(path: string): AsyncGenerator<Line> {
  let rest: Buffer = Buffer.alloc(0);
  let end = 0;
  for await (const chunk of chunksOf(path)) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let at = rest.indexOf(LF); at !== -1; at = rest.indexOf(LF, start)) {
      const line = parseLine(rest.toString("utf8", start, at));
      end += at + 1 - start;
      if (line === undefined) return;
      yield { end, ...line };
      start = at + 1;
    }
    rest = rest.subarray(start);
    if (rest.length > LONGEST_LINE) return;
  }
}

function parseLine(text: string): { readonly entry: Entry } | { readonly settings: Settings } | undefined {
  const [, sequence, content = "", end, check = "", note = ""] = entryLine.exec(text) ?? [];
  if (sequence !== undefined) {
    return { entry: { sequence: Number(sequence), content, end: Number(end), check, note } };
  }
  try {
    return text.startsWith("{") ? { settings: JSON.parse(text) as Settings } : undefined;
  } catch {
    return undefined;
  }
}

/** Reads a file piece by piece, whatever their sizes. */
function readPieces(path: string) {
  const chunks = chunksOf(path);
  let rest: Buffer = Buffer.alloc(0);
  return {
    async take(bytes: number): Promise<{ readonly isWhole: boolean; readonly check: string }> {
      const hash = startCheck();
      let missing = bytes;
      let isWhole = true;
      while (missing > 0) {
        if (rest.length === 0) {
          const next = await chunks.next();
          if (next.done) return { isWhole: false, check: "" };
          rest = next.value;
        }
        const piece = rest.subarray(0, missing);
        rest = rest.subarray(piece.length);
        missing -= piece.length;
        hash.update(piece);
        // No output has a NUL in it: it was never written there.
        if (piece.includes(0)) isWhole = false;
      }
      return { isWhole, check: finishCheck(hash) };
    },
    close: () => void chunks.return(undefined),
  };
}

async function* chunksOf(path: string): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 18 })) yield chunk as Buffer;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return;
    throw new ArchRouteError("E_USAGE", `${path}: cannot be read: ${message}`, { cause });
  }
}
