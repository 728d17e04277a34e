import { constants } from "node:os";
import { createRouter, type Router } from "../core/router.js";
import type { RawRecord } from "../io/input.js";
import { listenForInterrupts } from "../io/interrupt.js";
import { canHaveJournal, type Journal, openJournal } from "../io/journal.js";
import { inOrder, until } from "./in-order.js";
import { isResumed, type RouteOptions } from "./options.js";
import { formatRecordNote, hasFailedCommand, isUnanswered, noteOf, type RecordNote } from "./record-note.js";
import { createReport, type Ending, type Report } from "./report.js";
import { contentHash, resumeCommand, settingsOf, skipDone } from "./resume.js";
import { routeRecord } from "./route-record.js";
import { captured, open, type Run } from "./run.js";

/** Milliseconds that a record under way gets when the run is interrupted. */
const GRACE = 1000;
/** The same for commands, which get five seconds to end by themselves. */
const COMMAND_GRACE = 6000;
/** So many records in a row without an answer, and the model is not asked any more. */
const MOST_UNANSWERED = 3;

/**
 * Many records, a line of output for each, in order; what goes wrong with one is told in its place. If the output is a
 * file, a journal beside it lets the batch go on after whatever ended it.
 */
export async function routeBatch(records: AsyncGenerator<RawRecord>, run: Run): Promise<number> {
  const { options, io } = run;
  let journal: Journal | undefined;
  try {
    if (options.output !== undefined && canHaveJournal(options.output)) {
      journal = await openJournal(options.output, isResumed(options));
    }
    return await routeAll(records, { ...run, output: journal?.output ?? run.output }, journal);
  } finally {
    await journal?.release();
    // What was not read is not wanted, and a pipe that stays open would keep this process alive.
    io.stdin.destroy();
  }
}

async function routeAll(records: AsyncGenerator<RawRecord>, run: Run, journal: Journal | undefined): Promise<number> {
  const { config, options, io, output } = run;
  const engine = await open(run, config, true);
  try {
    const router = createRouter(engine, config.routes.routes, config);
    const report = createReport(options, output, io, true, config);
    const settings = settingsOf(config, options, engine.model);
    const done = journal && (await skipDone(records, journal, settings, run, report.recall));
    const interrupt = listenForInterrupts(io);
    try {
      if (done) await journal?.begin(done, settings);
      const ending = await routeRest(records, { ...run, router, report, journal, interrupt: interrupt.signal });
      return await report.finish(ending);
    } finally {
      interrupt.dispose();
    }
  } finally {
    await engine.dispose();
  }
}

interface Batch extends Run {
  readonly router: Router;
  readonly report: Report;
  readonly journal: Journal | undefined;
  /** Its reason is an exit code. */
  readonly interrupt: AbortSignal;
}

/** Routes what is left to do; how that ended. */
async function routeRest(records: AsyncGenerator<RawRecord>, batch: Batch): Promise<Ending> {
  const { config, options, output, warn, router, report, journal, interrupt } = batch;
  const brake = createBrake(options.halt, interrupt);
  const work = async (raw: RawRecord) => {
    const routed = await routeRecord(raw, { router, config, session: options.session, warn });
    return { raw, result: await captured(routed, raw, batch, brake.commands) };
  };
  // A model on this machine serves one record after another; commands and a server take several.
  const jobs = options.exec || config.server ? options.jobs : 1;
  const results = inOrder(until(records, brake.records), work, jobs);
  let isCutShort = false;
  for await (const { raw, result } of until(results, outOfTime(interrupt, options))) {
    const note = noteOf(result);
    // A command that was ended from here has not done its work: with a journal its record is done another time.
    isCutShort ||= journal !== undefined && brake.commands.aborted && hasFailedCommand(note);
    if (isCutShort) continue;
    await report.add(result, raw);
    await journal?.add(contentHash(raw), formatRecordNote(note));
    if (output.readerGone) break;
    brake.see(note);
  }
  const interrupted = interrupt.aborted ? (interrupt.reason as number) : undefined;
  const stopped = brake.reason() ?? (journal && brake.unanswered());
  if (interrupted === undefined && stopped === undefined) {
    await journal?.complete(isResumed(options));
    return {};
  }
  return { interrupted, stopped, goOn: journal && resumeCommand(options) };
}

/** Aborted when what is under way has had its time after an interrupt; commands are given theirs to end. */
function outOfTime(interrupt: AbortSignal, { exec }: RouteOptions): AbortSignal {
  const controller = new AbortController();
  const giveUp = () => setTimeout(() => controller.abort(), exec ? COMMAND_GRACE : GRACE).unref();
  interrupt.addEventListener("abort", giveUp, { once: true });
  return controller.signal;
}

/**
 * Ends a batch before its input: at an interrupt, when the model does not answer any more, and by `--halt`, after so
 * many failed commands. No record is taken then (soon), and those under way are ended (now).
 */
function createBrake(rule: RouteOptions["halt"], interrupt: AbortSignal) {
  const [soon, now] = [new AbortController(), new AbortController()];
  let [failures, inARow] = [0, 0];
  let reason: string | undefined;
  const unanswered = () =>
    inARow === 0 ? undefined : `no answer from the model to the last ${inARow === 1 ? "one" : inARow}`;
  return {
    /** Ends the taking of records. */
    records: AbortSignal.any([interrupt, soon.signal]),
    /** Ends the commands under way. */
    commands: AbortSignal.any([interrupt, now.signal]),
    /** Why it ended the batch; undefined: it did not, or an interrupt did. */
    reason: () => reason,
    /** What is to be said if the results end with records that got no answer. */
    unanswered,
    /** Takes a result into account. */
    see(note: RecordNote): void {
      inARow = isUnanswered(note) ? inARow + 1 : 0;
      if (hasFailedCommand(note)) failures++;
      if (inARow >= MOST_UNANSWERED) reason = unanswered();
      else if (rule !== undefined && failures >= rule.failures) reason ??= `${failures} commands failed (--halt)`;
      else return;
      soon.abort();
      if (rule?.when === "now" && failures >= rule.failures) now.abort(128 + constants.signals.SIGTERM);
    },
  };
}
