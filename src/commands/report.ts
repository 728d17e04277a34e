import type { Thresholds } from "../core/decision.js";
import { type ArchRouteError, COMMAND_FAILED, exitCodes, gravestExitCode, NO_ROUTE } from "../core/errors.js";
import { printable } from "../core/printable.js";
import type { RawRecord } from "../io/input.js";
import type { InputFormat } from "../io/input-format.js";
import type { Output } from "../io/output.js";
import { hasColour, type Streams } from "../io/streams.js";
import { formatError, formatJson, formatNote, formatPlain, type Result, type Routed } from "../ui/format.js";
import { follow } from "./follow.js";
import type { RouteOptions } from "./options.js";
import { errorOf, hasFailedCommand, noteOf, type RecordNote } from "./record-note.js";

/** Where results end up: printed, counted, and summed up in an exit code. */
export interface Report {
  /** Prints a result in the form that the options or the record's own format ask for. */
  add(result: Result, origin: Pick<RawRecord, "source" | "line" | "format" | "share">): Promise<void>;
  /** Counts a record that an earlier run has printed. */
  recall(note: RecordNote): void;
  /** Says what is to say of the whole, on stderr; the exit code of the run. */
  finish(ending?: Ending): Promise<number>;
}

/** How a run ended before its input did, if it did. */
export interface Ending {
  /** 128 + the signal's number. */
  readonly interrupted?: number | undefined;
  /** Why it stopped by itself. */
  readonly stopped?: string | undefined;
  /** What to type to go on. */
  readonly goOn?: string | undefined;
}

/** `batch`: a line of output stands for a record, and what went wrong is summed up at the end. */
export function createReport(
  options: RouteOptions,
  output: Output,
  io: Streams,
  batch: boolean,
  thresholds: Thresholds = {},
): Report {
  const codes = new Set<number>();
  const following = follow(batch && showsProgress(options, io), io);
  let [records, failed] = [0, 0];
  let [recalled, recalledFailed] = [0, 0];
  let last: string | undefined;

  async function format(result: Result, format: InputFormat | undefined): Promise<string> {
    if (options.explain && "routing" in result) return await explain(result, options.top, thresholds, io);
    if (isJson(options, format)) return `${formatJson(result, options.top)}\n`;
    if ("error" in result && !batch) return "";
    return formatPlain(result, options.top, batch);
  }

  function count(result: Result): void {
    records++;
    const note = noteOf(result);
    if (errorOf(note) !== undefined) failed++;
    addCodes(note);
  }

  function addCodes(note: RecordNote): void {
    const error = errorOf(note);
    if (error !== undefined) codes.add(exitCodes[error]);
    else if (note.outcome !== "matched" && options.requireRoute) codes.add(NO_ROUTE);
    if (hasFailedCommand(note)) codes.add(COMMAND_FAILED);
  }

  /** What a run that ended early says of it: how far it came, and how to go on. */
  function say({ interrupted, stopped, goOn }: Ending): void {
    if (interrupted === undefined && stopped === undefined) return;
    const done = `${interrupted === undefined ? "stopped" : "interrupted"} after ${records + recalled} records`;
    const place = goOn === undefined && last !== undefined ? `, at ${last}` : "";
    const why = interrupted === undefined ? `: ${stopped}` : "";
    io.stderr.write(formatNote(`${done}${place}${why}${goOn === undefined ? "" : `; go on with ${goOn}`}`));
  }

  return {
    recall(note) {
      recalled++;
      if (errorOf(note) !== undefined) recalledFailed++;
      addCodes(note);
    },
    async add(result, { source, line, format: as, share }) {
      count(result);
      last = `${source}:${line}`;
      await output.write(await format(result, as));
      if ("error" in result && !(batch && isJson(options, as)))
        io.stderr.write(located(result.error, source, result.line, batch));
      await following.count("routing" in result ? [result.routing] : [], "error" in result, share);
    },
    async finish(ending = {}) {
      const summary = following.close();
      await output.close();
      const allFailed = failed + recalledFailed;
      if (summary !== undefined) io.stderr.write(formatNote(summary));
      if (batch && allFailed > 0 && !options.quiet)
        io.stderr.write(`arch-route: ${allFailed} of ${records + recalled} records failed\n`);
      say(ending);
      return gravestExitCode(ending.interrupted === undefined ? codes : [...codes, ending.interrupted]);
    },
  };
}

async function explain(routed: Routed, top: number | undefined, thresholds: Thresholds, io: Streams): Promise<string> {
  const [{ createChalk }, { formatExplanation }] = await Promise.all([
    import("../ui/colour.js"),
    import("../ui/explanation.js"),
  ]);
  return formatExplanation(routed, createChalk(hasColour(io.stdout, io.env)), top, thresholds);
}

function isJson(options: RouteOptions, format: InputFormat | undefined): boolean {
  // A command's output has no place in a line of names.
  if (options.json || (options.exec && !options.dryRun)) return true;
  return !options.plain && !options.explain && (format === "json" || format === "jsonl");
}

function showsProgress(options: RouteOptions, io: Streams): boolean {
  // Results on the same terminal are progress enough, and a redrawn line would tear them apart.
  const elsewhere = options.output !== undefined || !io.stdout.isTTY;
  return elsewhere && !options.quiet;
}

function located(error: ArchRouteError, source: string, line: number, batch: boolean): string {
  const text = formatError(error);
  return batch ? text.replace("arch-route: ", () => `arch-route: ${printable(source)}:${line}: `) : text;
}
