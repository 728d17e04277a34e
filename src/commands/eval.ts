import { calibrate, thresholdFor } from "../core/calibration.js";
import type { Engine } from "../core/engine.js";
import { ArchRouteError, exitCodes, gravestExitCode, NO_ROUTE } from "../core/errors.js";
import { evaluate, isRight } from "../core/evaluation.js";
import type { CascadeSweep, Comparison, EvaluationReport, HistoryContrast } from "../core/evaluation-report.js";
import { printable } from "../core/printable.js";
import { createRouter } from "../core/router.js";
import { type Config, type Flags, resolveConfig } from "../io/config.js";
import { isSameFile } from "../io/input.js";
import { listenForInterrupts } from "../io/interrupt.js";
import { fileOutput, streamOutput } from "../io/output.js";
import { hasColour } from "../io/streams.js";
import { createChalk } from "../ui/colour.js";
import { formatError, formatNote } from "../ui/format.js";
import { sweepCascade } from "./eval-cascade.js";
import { compare, sweepHistory } from "./eval-compare.js";
import { type FailedRow, type LabelledRow, readRows } from "./eval-rows.js";
import {
  routeNames,
  type ScoredRow,
  type ScoreOptions,
  type Scoring,
  scoreRows,
  summariseTimes,
} from "./eval-score.js";
import { follow } from "./follow.js";
import { findLarger } from "./open-cascade.js";
import { openEngine } from "./open-engine.js";
import type { RouteOptions } from "./options.js";
import type { Surroundings } from "./route.js";

/** The options of `eval`. */
export interface EvalOptions extends Pick<RouteOptions, "output" | "format" | "json" | "maxRecordBytes" | "quiet"> {
  readonly html?: string;
  readonly sweepHistory?: boolean;
  readonly sweepCascade?: boolean;
  readonly compare?: string;
  readonly targetPrecision?: number;
  readonly failUnder?: number;
}

/** Accuracy below `--fail-under`: the same code as a route that was required and is not there. */
const BELOW = NO_ROUTE;
const MOST_ERRORS = 10;

/** `eval`: scores the routes on labelled conversations. Returns the exit code. */
export async function evalCommand(
  files: readonly string[],
  options: EvalOptions,
  flags: Flags,
  io: Surroundings,
): Promise<number> {
  refuseOverwriting(files, options);
  const config = await configure(options, flags, io);
  const warn = (message: string) => io.stderr.write(formatNote(message));
  if (!options.quiet) config.warnings.forEach(warn);
  const { rows, failures } = await readRows(files, { stdin: io.stdin, ...options }, config.routes.routes);
  const use = { isolated: true, warn };
  const open = io.openEngine ?? openEngine;
  const engine = await open(config, use);
  const interrupt = listenForInterrupts(io);
  try {
    const run: Run = { config, options, io, signal: interrupt.signal };
    const scoring = await score(rows, engine, run);
    const failed = [...failures, ...scoring.failures];
    if (scoring.scored.length === 0) return nothingScored(failed, io);
    const histories = options.sweepHistory ? await sweepHistory(scoring.scored, engine, config) : undefined;
    await engine.dispose();
    const cascade = options.sweepCascade
      ? await withSmall(scoring.scored, await open({ ...config, model: "mini", server: undefined }, use), run)
      : undefined;
    const { compare: reference } = options;
    const another = { io, use, openEngine: open };
    const comparison = reference === undefined ? undefined : await compare(reference, scoring.scored, flags, another);
    const sweeps = { histories, cascade, comparison };
    const report = assemble(scoring, failed.length, { config, options, model: engine.model, ...sweeps });
    await print(report, options, io);
    reportFailures(failed, io);
    const codes = failed.map(({ error }) => exitCodes[error.code] as number);
    return gravestExitCode([...codes, ...verdict(report, options, io), ...interruption(interrupt.signal, scoring, io)]);
  } finally {
    interrupt.dispose();
    await engine.dispose();
  }
}

/** With `--sweep-cascade` the report is that of the larger model alone: there has to be one. Throws E_CONFIG, E_MODEL. */
async function configure({ sweepCascade: sweeps }: EvalOptions, flags: Flags, io: Surroundings): Promise<Config> {
  if (!sweeps) return await resolveConfig(flags, io);
  const config = await resolveConfig({ ...flags, cascade: "false" }, io);
  if (config.server === undefined) await findLarger(config);
  return config;
}

function refuseOverwriting(files: readonly string[], { output, html }: EvalOptions): void {
  for (const path of [output, html]) {
    if (path === undefined || !files.some((file) => isSameFile(file, path))) continue;
    throw new ArchRouteError("E_USAGE", `${path}: it is also an input`, { hint: "write to another file" });
  }
}

interface Run {
  readonly config: Config;
  readonly options: EvalOptions;
  readonly io: Surroundings;
  readonly signal: AbortSignal;
}

async function score(rows: readonly LabelledRow[], engine: Engine, run: Run): Promise<Scoring> {
  const router = createRouter(engine, run.config.routes.routes, run.config);
  return await followed(run, (following) => scoreRows(rows, router, following));
}

async function withSmall(scored: readonly ScoredRow[], small: Engine, run: Run): Promise<CascadeSweep | undefined> {
  const sweep = followed(run, (following) => sweepCascade(scored, small, run.config, following));
  return await sweep.finally(() => small.dispose());
}

/** Work on rows, its progress shown while it lasts. */
async function followed<Result>({ options, io, signal }: Run, work: (following: ScoreOptions) => Promise<Result>) {
  const following = follow(options.quiet !== true, io);
  try {
    return await work({ signal, onRow: (row) => following.count(decisionsOf(row), "error" in row) });
  } finally {
    following.close();
  }
}

function decisionsOf(row: ScoredRow | FailedRow) {
  return "turns" in row ? row.turns.map(({ decision }) => decision) : [];
}

interface Circumstances {
  readonly config: Config;
  readonly options: EvalOptions;
  readonly model: string;
  readonly histories: readonly HistoryContrast[] | undefined;
  readonly cascade: CascadeSweep | undefined;
  readonly comparison: Comparison | undefined;
}

/** All figures of a run. */
function assemble({ scored, times }: Scoring, failed: number, circumstances: Circumstances): EvaluationReport {
  const { config, options, model, histories, cascade, comparison } = circumstances;
  const turns = scored.flatMap((row) => row.turns);
  const target = options.targetPrecision;
  return {
    model,
    routes: scored.every(({ row }) => row.routes) ? "the records" : (config.origins.get("routes") ?? "default"),
    records: scored.length,
    failed,
    evaluation: evaluate(
      scored.map((row) => row.turns),
      routeNames(scored, config.routes.routes),
    ),
    calibration: calibrate(turns),
    latency: summariseTimes(times),
    ...(target !== undefined && { threshold: { target, found: thresholdFor(turns, target) } }),
    ...(histories && { histories }),
    ...(cascade && { cascade }),
    ...(comparison && { comparison }),
    misses: turns.filter((turn) => !isRight(turn)),
  };
}

/** The report on stdout or in the file of `--output`; the page in the file of `--html`. */
async function print(report: EvaluationReport, options: EvalOptions, io: Surroundings): Promise<void> {
  if (options.html !== undefined) {
    const { formatEvaluationHtml } = await import("../ui/eval-html.js");
    await write(options.html, formatEvaluationHtml(report));
  }
  const { output: path, json } = options;
  const output = path === undefined ? streamOutput(io.stdout) : fileOutput(path);
  if (json) {
    const { formatEvaluationJson } = await import("../ui/eval-json.js");
    await output.write(`${formatEvaluationJson(report)}\n`);
  } else {
    const { formatEvaluation } = await import("../ui/eval-report.js");
    const chalk = createChalk(path === undefined && hasColour(io.stdout, io.env));
    await output.write(formatEvaluation(report, chalk, io.stdout.columns ?? 80));
  }
  await output.close();
}

async function write(path: string, text: string): Promise<void> {
  const output = fileOutput(path);
  await output.write(text);
  await output.close();
}

/** `--fail-under`: said on stderr, and an exit code of its own. */
function verdict({ evaluation }: EvaluationReport, { failUnder }: EvalOptions, io: Surroundings): number[] {
  const { accuracy } = evaluation.turns;
  if (failUnder === undefined || accuracy >= failUnder) return [];
  io.stderr.write(`arch-route: accuracy ${accuracy.toFixed(4)} is under --fail-under ${failUnder}\n`);
  return [BELOW];
}

function interruption(signal: AbortSignal, { scored }: Scoring, io: Surroundings): number[] {
  if (!signal.aborted) return [];
  io.stderr.write(`arch-route: interrupted after ${scored.length} records\n`);
  return [signal.reason as number];
}

function nothingScored(failures: readonly FailedRow[], io: Surroundings): number {
  if (failures.length === 0) throw new ArchRouteError("E_READ", "there are no labelled conversations in the input");
  reportFailures(failures, io);
  return gravestExitCode(failures.map(({ error }) => exitCodes[error.code]));
}

function reportFailures(failures: readonly FailedRow[], io: Surroundings): void {
  for (const { source, line, error } of failures.slice(0, MOST_ERRORS)) {
    io.stderr.write(formatError(error).replace("arch-route: ", () => `arch-route: ${printable(source)}:${line}: `));
  }
  const more = failures.length - MOST_ERRORS;
  if (more > 0) io.stderr.write(`arch-route: and ${more} more records that could not be scored\n`);
}
