import { takeHistory } from "../core/conversation.js";
import { findTarget } from "../core/dispatch.js";
import type { Engine } from "../core/engine.js";
import { ArchRouteError } from "../core/errors.js";
import { type InputRecord, readRecord, readText } from "../core/parse.js";
import { jsonLine } from "../core/printable.js";
import { buildPrompt, chatText } from "../core/prompt.js";
import { createRouter, type Router } from "../core/router.js";
import { type Config, type Flags, resolveConfig } from "../io/config.js";
import { isSameFile, type RawRecord } from "../io/input.js";
import { listenForInterrupts, type SignalSource } from "../io/interrupt.js";
import { numberAsWritten, parseJson } from "../io/json.js";
import { fileOutput, type Output, streamOutput } from "../io/output.js";
import type { Streams } from "../io/streams.js";
import { formatError, type Result } from "../ui/format.js";
import { gather, type Request } from "./gather.js";
import { type EngineUse, openEngine } from "./open-engine.js";
import type { RouteOptions } from "./options.js";
import { createReport, type Report } from "./report.js";

/** The process, and what a test may put in place of the engine. */
export interface Surroundings extends Streams, SignalSource {
  readonly openEngine?: (config: Config, use: EngineUse) => Promise<Engine>;
}

/** Milliseconds that a record under way gets when the run is interrupted. */
const GRACE = 1000;

/** The default command: reads, routes and prints record by record. Returns the exit code. */
export async function routeCommand(
  request: Request,
  options: RouteOptions,
  flags: Flags,
  io: Surroundings,
): Promise<number> {
  const config = await resolveConfig(flags, io);
  const warn = (message: string) => io.stderr.write(formatError(new ArchRouteError("E_CONFIG", message)));
  if (!options.quiet) config.warnings.forEach(warn);
  refuseOverwriting(request, options);
  const records = gather(request, options, io);
  const first = await records.next();
  const output = options.output === undefined ? streamOutput(io.stdout) : fileOutput(options.output);
  if (first.done) return await output.close().then(() => 0);
  const batch = request.sources.length > 1 || first.value.format === "jsonl" || first.value.format === "lines";
  if (options.showPrompt) return await showPrompts(first.value, records, { config, output, batch });

  const advise = io.stderr.isTTY && !options.quiet ? warn : undefined;
  const engine = await (io.openEngine ?? openEngine)(config, { isolated: batch, warn, advise });
  const router = createRouter(engine, config.routes.routes, config);
  const report = createReport(options, output, io, batch);
  // A single routing dies by the signal itself: there is nothing to save, and native code cannot be stopped.
  const interrupt = batch ? listenForInterrupts(io) : undefined;
  try {
    await routeAll(first.value, records, { router, config, report, output, signal: interrupt?.signal });
  } finally {
    await router.dispose();
    interrupt?.dispose();
    if (interrupt?.signal.aborted || output.readerGone) io.stdin.destroy();
  }
  return await report.finish(interrupt?.signal.aborted ? interrupt.signal.reason : undefined);
}

interface Run {
  readonly router: Router;
  readonly config: Config;
  readonly report: Report;
  readonly output: Output;
  readonly signal: AbortSignal | undefined;
}

/** Routes record after record until there are no more, nobody reads on, or the run is interrupted. */
async function routeAll(first: RawRecord, rest: AsyncGenerator<RawRecord>, run: Run): Promise<void> {
  const { router, config, report, output, signal } = run;
  const interrupted = new Promise<undefined>((resolve) => {
    signal?.addEventListener("abort", () => resolve(undefined));
  });
  const outOfTime = interrupted.then(
    () => new Promise<undefined>((resolve) => void setTimeout(() => resolve(undefined), GRACE).unref()),
  );
  let raw: RawRecord | undefined = first;
  while (raw !== undefined && !signal?.aborted) {
    const result: Result | undefined = await Promise.race([routeRecord(raw, router, config), outOfTime]);
    if (result === undefined) return;
    await report.add(result, raw);
    if (output.readerGone) return;
    const next: IteratorResult<RawRecord> | undefined = await Promise.race([rest.next(), interrupted]);
    raw = next?.done ? undefined : next?.value;
  }
}

/** One record, routed, or the reason why not: whatever is wrong with it stays its own affair. */
async function routeRecord(raw: RawRecord, router: Router, config: Config): Promise<Result> {
  let record: InputRecord | undefined;
  try {
    if ("error" in raw) throw raw.error;
    record = await readRaw(raw);
    const routing = await router.route(record.conversation, record.routes);
    return { id: record.id, routing, target: findTarget(config.routes, routing) };
  } catch (error) {
    if (!(error instanceof ArchRouteError)) throw error;
    return { id: record?.id, line: raw.line, error };
  }
}

async function readRaw(raw: Extract<RawRecord, { text: string }>): Promise<InputRecord> {
  if (raw.format === "text" || raw.format === "lines") return readText(raw.text);
  const record = readRecord(await parseJson(raw.text, raw.line));
  if (record.id === undefined || record.id.startsWith('"')) return record;
  return { ...record, id: (await numberAsWritten(raw.text, "id")) ?? record.id };
}

/** `--show-prompt`: the chat text as it is for one conversation, a JSON string a line for many. */
async function showPrompts(
  first: RawRecord,
  rest: AsyncGenerator<RawRecord>,
  { config, output, batch }: { config: Config; output: Output; batch: boolean },
): Promise<number> {
  for (let next: IteratorResult<RawRecord> = { value: first }; !next.done; next = await rest.next()) {
    if ("error" in next.value) throw next.value.error;
    const { conversation, routes = config.routes.routes } = await readRaw(next.value);
    const text = chatText(buildPrompt(routes, takeHistory(conversation, config.history), config.unicode));
    await output.write(batch ? `${jsonLine(text)}\n` : text);
  }
  await output.close();
  return 0;
}

function refuseOverwriting({ sources }: Request, { output }: RouteOptions): void {
  if (output === undefined || !sources.some((source) => isSameFile(source, output))) return;
  throw new ArchRouteError("E_USAGE", `--output ${output}: it is also an input`, { hint: "write to another file" });
}
