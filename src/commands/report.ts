import type { Thresholds } from "../core/decision.js";
import { type ArchRouteError, COMMAND_FAILED, exitCodes, gravestExitCode, NO_ROUTE } from "../core/errors.js";
import { printable } from "../core/printable.js";
import type { InputFormat } from "../io/input-format.js";
import type { Output } from "../io/output.js";
import { hasColour, type Streams } from "../io/streams.js";
import { type Executed, formatError, formatJson, formatPlain, type Result, type Routed } from "../ui/format.js";
import type { Progress } from "../ui/progress.js";
import type { RouteOptions } from "./options.js";

/** Where results end up: printed, counted, and summed up in an exit code. */
export interface Report {
  /** Prints a result in the form that the options or the record's own format ask for. */
  add(result: Result, origin: { readonly source: string; readonly format: InputFormat | undefined }): Promise<void>;
  /** Records whose command failed, or that have none. */
  failedCommands(): number;
  /** Says what is to say of the whole, on stderr; the exit code of the run. */
  finish(interrupted: number | undefined): Promise<number>;
}

const REDRAW = 100;

/** `batch`: a line of output stands for a record, and what went wrong is summed up at the end. */
export function createReport(
  options: RouteOptions,
  output: Output,
  io: Streams,
  batch: boolean,
  thresholds: Thresholds = {},
): Report {
  const codes = new Set<number>();
  const routes = new Map<string, number>();
  const started = Date.now();
  let [records, failed, unsure, failedCommands, drawn] = [0, 0, 0, 0, 0];
  let progress: Progress | undefined;

  async function format(result: Result, format: InputFormat | undefined): Promise<string> {
    if (options.explain && "routing" in result) return await explain(result, options.top, thresholds, io);
    if (isJson(options, format)) return `${formatJson(result, options.top)}\n`;
    if ("error" in result && !batch) return "";
    return formatPlain(result, options.top, batch);
  }

  function count(result: Result): void {
    records++;
    if ("error" in result) {
      failed++;
      codes.add(exitCodes[result.error.code]);
      return;
    }
    const { route, outcome } = result.routing;
    routes.set(route, (routes.get(route) ?? 0) + 1);
    if (outcome === "unsure") unsure++;
    if (hasFailed(result.executed)) failedCommands++;
    if (outcome !== "matched" && options.requireRoute) codes.add(NO_ROUTE);
  }

  async function draw(): Promise<void> {
    const now = Date.now();
    if (!batch || !showsProgress(options, io) || now - drawn < REDRAW) return;
    drawn = now;
    progress ??= (await import("../ui/progress.js")).showProgress(io.stderr, hasColour(io.stderr, io.env));
    progress.update({ records, failed, unsure, routes, seconds: (now - started) / 1000 });
  }

  return {
    failedCommands: () => failedCommands,
    async add(result, { source, format: as }) {
      count(result);
      await output.write(await format(result, as));
      if ("error" in result && !(batch && isJson(options, as)))
        say(io, located(result.error, source, result.line, batch));
      await draw();
    },
    async finish(interrupted) {
      progress?.close();
      await output.close();
      if (batch && failed > 0 && !options.quiet)
        io.stderr.write(`arch-route: ${failed} of ${records} records failed\n`);
      if (interrupted !== undefined) io.stderr.write(`arch-route: interrupted after ${records} records\n`);
      if (failedCommands > 0) codes.add(COMMAND_FAILED);
      return gravestExitCode(interrupted === undefined ? codes : [...codes, interrupted]);
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

function hasFailed(executed: Executed | undefined): boolean {
  return executed !== undefined && ("error" in executed || executed.exitCode !== 0);
}

function showsProgress(options: RouteOptions, io: Streams): boolean {
  // Results on the same terminal are progress enough, and a redrawn line would tear them apart.
  const elsewhere = options.output !== undefined || !io.stdout.isTTY;
  return io.stderr.isTTY === true && io.env["TERM"] !== "dumb" && elsewhere && !options.quiet;
}

function located(error: ArchRouteError, source: string, line: number, batch: boolean): string {
  const text = formatError(error);
  return batch ? text.replace("arch-route: ", () => `arch-route: ${printable(source)}:${line}: `) : text;
}

function say(io: Streams, text: string): void {
  io.stderr.write(text);
}
