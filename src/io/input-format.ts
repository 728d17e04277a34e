/** What an input can be. `lines`: a prompt a line. */
export const inputFormats = ["text", "lines", "json", "jsonl"] as const;
export type InputFormat = (typeof inputFormats)[number];

const byExtension = new Map<string, InputFormat>([
  [".jsonl", "jsonl"],
  [".ndjson", "jsonl"],
  [".json", "json"],
]);

/** The format that a file's name announces. */
export function formatByName(path: string): InputFormat | undefined {
  return byExtension.get(/\.[^./\\]*$/.exec(path.toLowerCase())?.[0] ?? "");
}

/**
 * Reads the beginning of an input until it is known what it is: JSONL if its first non-blank line starts an object and
 * two lines hold one each (or, at the end of the input, look like one), JSON if the whole is one document, else text.
 * Returns the format and all chunks again, those already read included.
 */
export async function detectFormat(
  chunks: AsyncIterable<Buffer>,
  limit: number,
): Promise<{ format: InputFormat; chunks: AsyncIterable<Buffer> }> {
  const iterator = chunks[Symbol.asyncIterator]();
  const seen: Buffer[] = [];
  const detector = new Detector();
  let length = 0;
  let format: InputFormat | undefined;
  while (format === undefined) {
    const next = await iterator.next();
    if (next.done) {
      format = detector.atEnd(Buffer.concat(seen));
      break;
    }
    seen.push(next.value);
    length += next.value.length;
    format = detector.push(next.value) ?? (length > limit ? detector.atLimit() : undefined);
  }
  return { format, chunks: replay(seen, iterator) };
}

async function* replay(seen: readonly Buffer[], rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* seen;
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}

class Detector {
  private tail = "";
  private first = true;
  private objects = 0;
  private braces = 0;

  /** Undefined: not known yet. */
  push(chunk: Buffer): InputFormat | undefined {
    // Latin-1 keeps every byte apart: chunks may be cut within a character, and only ASCII matters here.
    const lines = (this.tail + chunk.toString("latin1")).split("\n");
    this.tail = lines.pop() ?? "";
    for (const line of lines) {
      const format = this.line(line);
      if (format !== undefined) return format;
    }
    return undefined;
  }

  private line(line: string): InputFormat | undefined {
    const text = this.first ? line.replace(/^\u00ef\u00bb\u00bf/, "") : line;
    if (text.trim() === "") return undefined;
    const opens = this.first ? text.trimStart().startsWith("{") : text.startsWith("{");
    // Not an object: one document or text, which only the whole can tell.
    if (this.first && !opens) this.objects = -Infinity;
    this.first = false;
    if (opens) this.braces++;
    // An indented object is part of a larger one.
    if (opens && isObject(text)) this.objects++;
    return this.objects >= 2 ? "jsonl" : undefined;
  }

  /** So much was read that the rest must be streamed: an object's line goes on, or it is text. */
  atLimit(): InputFormat {
    const starts = this.first ? this.tail.trimStart().startsWith("{") : this.objects > 0;
    return starts ? "jsonl" : "text";
  }

  atEnd(whole: Buffer): InputFormat {
    const early = this.line(this.tail);
    if (early) return early;
    if (isJson(whole.toString("utf8").replace(/^\ufeff/, ""))) return "json";
    return this.objects > 0 && this.braces > 1 ? "jsonl" : "text";
  }
}

function isObject(text: string): boolean {
  const trimmed = text.trim();
  return trimmed.startsWith("{") && trimmed.endsWith("}") && isJson(trimmed);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
