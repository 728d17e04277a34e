import { ArchRouteError } from "../core/errors.js";
import { type InputOptions, isPiped, type RawRecord, readRecords, readWhole, STDIN } from "../io/input.js";
import type { Streams } from "../io/streams.js";
import type { RouteOptions } from "./options.js";

/** What there is to route: words of the command line, places to read from, or both. */
export interface Request {
  readonly words: string;
  readonly sources: readonly string[];
}

const PATIENCE = 3000;

/** Command-line words and options → what is asked for; undefined if nothing is. `-` among the words is standard input. */
export function readRequest(words: readonly string[], options: RouteOptions, io: Streams): Request | undefined {
  const wantsStdin = words.includes(STDIN) || (options.input === undefined && isPiped(io.stdin));
  const sources = [...new Set([...(options.input ?? []), ...(wantsStdin ? [STDIN] : [])])];
  const spoken = words.filter((word) => word !== STDIN);
  if (spoken.length === 0 && sources.length === 0) return undefined;
  const text = spoken.join(" ");
  if (spoken.length > 0 && text.trim() === "") throw new ArchRouteError("E_USAGE", "the prompt is empty");
  if (text !== "" && options.format !== "auto" && options.format !== "text") {
    throw new ArchRouteError("E_USAGE", `--format ${options.format}: a prompt on the command line is text`, {
      hint: "leave the prompt or the format out",
    });
  }
  return { words: text, sources };
}

/** The records of a request. Words make one record; what is read stands before them, as in `git diff | arch-route "review this"`. */
export async function* gather(request: Request, options: RouteOptions, io: Streams): AsyncGenerator<RawRecord> {
  const { words, sources } = request;
  const input = { stdin: io.stdin, format: options.format, maxRecordBytes: options.maxRecordBytes };
  if (words === "") return yield* readRecords(sources, input);
  const read = sources.length === 0 ? "" : await readPatiently(sources, input, io);
  yield { source: "", line: 1, format: "text", text: read === "" ? words : `${read}\n\n${words}` };
}

/** Reads to the end; who forgot that standard input is open is told what the program waits for. */
async function readPatiently(sources: readonly string[], input: InputOptions, io: Streams): Promise<string> {
  const hint = setTimeout(() => {
    io.stderr.write("arch-route: waiting for the end of standard input; without any, add </dev/null\n");
  }, PATIENCE);
  try {
    return await readWhole(sources, input);
  } finally {
    clearTimeout(hint);
  }
}
