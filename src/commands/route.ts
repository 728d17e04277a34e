import { takeHistory } from "../core/conversation.js";
import { ArchRouteError, exitCodes, gravestExitCode } from "../core/errors.js";
import { jsonLine, printable } from "../core/printable.js";
import { buildPrompt, chatText } from "../core/prompt.js";
import { createRouter } from "../core/router.js";
import { type Flags, resolveConfig } from "../io/config.js";
import { isSameFile, type RawRecord } from "../io/input.js";
import { listenForInterrupts } from "../io/interrupt.js";
import { fileOutput, streamOutput } from "../io/output.js";
import { formatJson, formatNote } from "../ui/format.js";
import { gather, type Request } from "./gather.js";
import { isResumed, type RouteOptions } from "./options.js";
import { createReport } from "./report.js";
import { type RoutedRecord, readInput, routeRecord } from "./route-record.js";
import { captured, open, type Run, recordId, type Surroundings } from "./run.js";
import { sessionId } from "./session.js";

export type { Surroundings } from "./run.js";

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
  await checkOutput(request, options);
  const records = gather(request, options, io);
  const first = await records.next();
  const output = options.output === undefined ? streamOutput(io.stdout) : fileOutput(options.output);
  const run: Run = { config, options, io, output, warn };
  if (first.done && !isResumed(options)) return await output.close().then(() => 0);
  const all = first.done ? records : chain(first.value, records);
  const isBatch = first.done || request.sources.length > 1 || isLine(first.value);
  if (options.showPrompt) return await showPrompts(all, run, isBatch);
  if (isBatch) return await (await import("./route-batch.js")).routeBatch(all, run);
  if (isResumed(options))
    throw new ArchRouteError("E_USAGE", "--resume: one conversation is no batch", {
      hint: "if it is the first of many, say --format jsonl",
    });
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
  return await report.finish();
}

function isLine({ format }: RawRecord): boolean {
  return format === "jsonl" || format === "lines";
}

async function* chain(first: RawRecord, rest: AsyncGenerator<RawRecord>): AsyncGenerator<RawRecord> {
  yield first;
  yield* rest;
}

/** `--show-prompt`: the chat text as it is for one conversation, a JSON string a line for many. */
async function showPrompts(records: AsyncGenerator<RawRecord>, run: Run, isBatch: boolean): Promise<number> {
  const { config, io, output } = run;
  const codes = new Set<number>();
  for await (const raw of records) {
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

/** Throws E_USAGE for an output that must not be written. */
async function checkOutput({ sources }: Request, options: RouteOptions): Promise<void> {
  const { output } = options;
  if (output === undefined) {
    if (!isResumed(options)) return;
    const hint = "give the file in which the results so far are";
    throw new ArchRouteError("E_USAGE", "--resume: there is no --output to go on with", { hint });
  }
  if (sources.some((source) => isSameFile(source, output))) {
    throw new ArchRouteError("E_USAGE", `--output ${output}: it is also an input`, { hint: "write to another file" });
  }
  const { canHaveJournal, refuseUnfinished } = await import("../io/journal.js");
  if (!isResumed(options)) return await refuseUnfinished(output);
  if (canHaveJournal(output)) return;
  throw new ArchRouteError("E_USAGE", `--resume: ${output} is no file`, { hint: "leave --resume out" });
}
