/** A line of bytes without its line end; `bytes` is undefined if it was longer than allowed. */
export interface Line {
  /** Counted from 1. */
  readonly number: number;
  readonly bytes: Buffer | undefined;
  /** Bytes from the beginning to where the next line begins. */
  readonly end: number;
}

const LF = 0x0a;
const CR = 0x0d;

/**
 * Splits bytes at line feeds (and drops a carriage return before one), wherever the chunks were cut. Lines over
 * `limit` bytes are passed over while they stream by, so that no line, however long, fills the memory.
 */
export async function* splitLines(chunks: AsyncIterable<Buffer>, limit: number): AsyncGenerator<Line> {
  let pieces: Buffer[] = [];
  let length = 0;
  let number = 1;
  let before = 0;
  const take = (piece: Buffer) => {
    length += piece.length;
    if (length <= limit) pieces.push(piece);
    else pieces = [];
  };
  const finish = (end: number): Line => {
    const bytes = length > limit ? undefined : withoutReturn(Buffer.concat(pieces));
    pieces = [];
    length = 0;
    return { number: number++, bytes, end };
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, start)) {
      take(chunk.subarray(start, end));
      yield finish(before + end + 1);
      start = end + 1;
    }
    take(chunk.subarray(start));
    before += chunk.length;
  }
  if (length > 0) yield finish(before);
}

function withoutReturn(line: Buffer): Buffer {
  return line.at(-1) === CR ? line.subarray(0, -1) : line;
}

/** All bytes, or undefined if there are more than `limit`; the rest is then left unread. */
export async function readAll(chunks: AsyncIterable<Buffer>, limit: number): Promise<Buffer | undefined> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    length += chunk.length;
    if (length > limit) return undefined;
    pieces.push(chunk);
  }
  return Buffer.concat(pieces);
}
