import { createHash } from "node:crypto";
import { constants } from "node:os";
import { takeHistory } from "../core/conversation.js";
import type { Engine } from "../core/engine.js";
import { ArchRouteError, exitCodes, gravestExitCode } from "../core/errors.js";
import { jsonLine, printable } from "../core/printable.js";
import { buildPrompt, chatText } from "../core/prompt.js";
import { createRouter } from "../core/router.js";
import { type Config, type Flags, resolveConfig } from "../io/config.js";
import { isSameFile, type RawRecord } from "../io/input.js";
import { listenForInterrupts, type SignalSource } from "../io/interrupt.js";
import { fileOutput, type Output, streamOutput } from "../io/output.js";
import type { Streams } from "../io/streams.js";
import { formatJson, formatNote } from "../ui/format.js";
import { gather, type Request } from "./gather.js";
import { inOrder, until } from "./in-order.js";
import { type EngineUse, openEngine } from "./open-engine.js";
import type { RouteOptions } from "./options.js";
import { createReport } from "./report.js";
import { type RoutedRecord, readInput, routeRecord } from "./route-record.js";
import { sessionId } from "./session.js";

/** The process, and what a test may put in place of the engine. */
export interface Surroundings extends Streams, SignalSource {
  readonly openEngine?: (config: Config, use: EngineUse) => Promise<Engine>;
}

/** Milliseconds that a record under way gets when the run is interrupted. */
const GRACE = 1000;
/** The same for commands, which get five seconds to end by themselves. */
const COMMAND_GRACE = 6000;

/** What all records of a run have in common. */
interface Run {
  readonly config: Config;
  readonly options: RouteOptions;
  readonly io: Surroundings;
  readonly output: Output;
  readonly warn: (message: string) => void;
}

/** The default command: reads, routes and prints, or runs, record by record. Returns the exit code. */
export async function routeCommand(
  request: Request,
  options: RouteOptions,
  flags: Flags,
  io: Surroundings,
): Promise<number> {
  const config = await resolveConfig(flags, io);
  const said = new Set<string>();
  // Once a run: a batch would say the same of every record.
  const warn = (message: string) => {
    if (!options.quiet && !said.has(message)) io.stderr.write(formatNote(message));
    said.add(message);
  };
  config.warnings.forEach(warn);
  refuseOverwriting(request, options);
  const records = gather(request, options, io);
  const first = await records.next();
  const output = options.output === undefined ? streamOutput(io.stdout) : fileOutput(options.output);
  const run: Run = { config, options, io, output, warn };
  if (first.done) return await output.close().then(() => 0);

  const { format } = first.value;
  const isBatch = request.sources.length > 1 || format === "jsonl" || format === "lines";
  if (options.showPrompt) return await showPrompts(first.value, records, run, isBatch);
  if (isBatch) return await routeBatch(first.value, records, run);
  return await routeSingle(first.value, run);
}

/** One conversation: the route is printed, or its command takes over this process's output and exit code. */
async function routeSingle(raw: RawRecord, run: Run): Promise<number> {
  const { config, options, io, output, warn } = run;
  if (options.exec) void startWarmup(raw, run).catch(() => undefined);
  const router = createRouter(await open(run, config, false), config.routes.routes, config);
  const routed = await routeRecord(raw, { router, config, session: options.session, warn }).finally(() =>
    router.dispose(),
  );
  const runs = (options.exec || options.dryRun) && !options.json && "routing" in routed;
  if (!runs) return await finishSingle(routed, raw, run);
  // Loaded when there is something to run: it takes a fifth of the time of a routing.
  const { execute, showCommands } = await import("./exec.js");
  if (options.dryRun) {
    await showCommands(routed, routed.record.conversation, config, output);
    await output.close();
    return 0;
  }
  // From here on signals are the command's: it is told, and we end when it does.
  const interrupt = listenForInterrupts(io);
  try {
    const toFile = options.output !== undefined;
    const context = { config, io, warn, signal: interrupt.signal, id: recordId(raw), toFile };
    return await execute(routed, routed.record.conversation, output, context);
  } finally {
    interrupt.dispose();
  }
}

/** Its failure is nobody's business: the command will load its model itself. */
async function startWarmup(raw: RawRecord, run: Run): Promise<void> {
  const { config, options } = run;
  if ("error" in raw || config.warmup === undefined) return;
  const { conversation } = await readInput(raw);
  const session = options.session === undefined ? undefined : sessionId(options.session, conversation);
  const { warmUp } = await import("./warmup.js");
  await warmUp(conversation, session, config, (other) => open(run, other, false));
}

async function finishSingle(routed: RoutedRecord, raw: RawRecord, run: Run): Promise<number> {
  const report = createReport(run.options, run.output, run.io, false, run.config);
  await report.add(await captured(routed, raw, run, undefined), raw);
  return await report.finish(undefined);
}

/** Many records, a line of output for each, in order; what goes wrong with one is told in its place. */
async function routeBatch(first: RawRecord, rest: AsyncGenerator<RawRecord>, run: Run): Promise<number> {
  const { config, options, io, output, warn } = run;
  const router = createRouter(await open(run, config, true), config.routes.routes, config);
  const report = createReport(options, output, io, true, config);
  const interrupt = listenForInterrupts(io);
  const halt = createHalt(options.halt, interrupt.signal);
  const work = async (raw: RawRecord) => {
    const routed = await routeRecord(raw, { router, config, session: options.session, warn });
    return { raw, result: await captured(routed, raw, run, halt.commands) };
  };
  const results = inOrder(
    until(chain(first, rest), halt.records),
    work,
    options.exec || config.server ? options.jobs : 1,
  );
  try {
    for await (const { raw, result } of until(results, outOfTime(interrupt.signal, options))) {
      await report.add(result, raw);
      if (output.readerGone) break;
      halt.check(report.failedCommands());
    }
  } finally {
    await router.dispose();
    interrupt.dispose();
    // What was not read is not wanted, and a pipe that stays open would keep this process alive.
    io.stdin.destroy();
  }
  return await report.finish(interrupt.signal.aborted ? interrupt.signal.reason : undefined);
}

/** Aborted when what is under way has had its time after an interrupt; commands are given theirs to end. */
function outOfTime(interrupt: AbortSignal, { exec }: RouteOptions): AbortSignal {
  const controller = new AbortController();
  const giveUp = () => setTimeout(() => controller.abort(), exec ? COMMAND_GRACE : GRACE).unref();
  interrupt.addEventListener("abort", giveUp, { once: true });
  return controller.signal;
}

/** `--halt`: after so many failed commands no record is taken any more (soon), and those under way are ended (now). */
function createHalt(rule: RouteOptions["halt"], interrupt: AbortSignal) {
  const [soon, now] = [new AbortController(), new AbortController()];
  return {
    /** Ends the taking of records. */
    records: AbortSignal.any([interrupt, soon.signal]),
    /** Ends the commands under way. */
    commands: AbortSignal.any([interrupt, now.signal]),
    check(failures: number): void {
      if (rule === undefined || failures < rule.failures) return;
      soon.abort();
      if (rule.when === "now") now.abort(128 + constants.signals.SIGTERM);
    },
  };
}

async function* chain(first: RawRecord, rest: AsyncGenerator<RawRecord>): AsyncGenerator<RawRecord> {
  yield first;
  yield* rest;
}

/** With `-x`: the record's command run, its output kept for the record. */
async function captured(
  routed: RoutedRecord,
  raw: RawRecord,
  run: Run,
  signal: AbortSignal | undefined,
): Promise<RoutedRecord> {
  const { config, options, io, warn } = run;
  if (!options.exec || options.dryRun || "error" in routed) return routed;
  const { executeCaptured } = await import("./exec.js");
  const context = { config, io, warn, signal, id: recordId(raw) };
  return {
    ...(await executeCaptured(routed, routed.record.conversation, options.maxOutputBytes, context)),
    record: routed.record,
  };
}

/** The same record has the same id in every run: a command can tell that it has seen it. */
function recordId(raw: RawRecord): string {
  return createHash("sha256")
    .update(`${raw.line}\n${"text" in raw ? raw.text : ""}`)
    .digest("hex");
}

async function open({ io, options, warn }: Run, config: Config, isolated: boolean): Promise<Engine> {
  const advise = io.stderr.isTTY && !options.quiet ? warn : undefined;
  return await (io.openEngine ?? openEngine)(config, { isolated, warn, advise });
}

/** `--show-prompt`: the chat text as it is for one conversation, a JSON string a line for many. */
async function showPrompts(
  first: RawRecord,
  rest: AsyncGenerator<RawRecord>,
  run: Run,
  isBatch: boolean,
): Promise<number> {
  const { config, io, output } = run;
  const codes = new Set<number>();
  for await (const raw of chain(first, rest)) {
    try {
      if ("error" in raw) throw raw.error;
      const { conversation, routes = config.routes.routes } = await readInput(raw);
      const text = chatText(buildPrompt(routes, takeHistory(conversation, config.history), config.unicode));
      await output.write(
        isBatch
          ? `${jsonLine(text)}
`
          : io.stdout.isTTY
            ? printable(text)
            : text,
      );
    } catch (error) {
      if (!isBatch || !(error instanceof ArchRouteError) || error.code === "E_OUTPUT") throw error;
      codes.add(exitCodes[error.code]);
      await output.write(`${formatJson({ line: raw.line, error })}
`);
    }
  }
  await output.close();
  return gravestExitCode(codes);
}

function refuseOverwriting({ sources }: Request, { output }: RouteOptions): void {
  if (output === undefined || !sources.some((source) => isSameFile(source, output))) return;
  throw new ArchRouteError("E_USAGE", `--output ${output}: it is also an input`, { hint: "write to another file" });
}
