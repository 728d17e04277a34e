import { createHash } from "node:crypto";
import { shellQuoted } from "../core/dispatch.js";
import { ArchRouteError } from "../core/errors.js";
import { packageVersion } from "../io/bundled.js";
import type { Config } from "../io/config.js";
import { type RawRecord, STDIN } from "../io/input.js";
import { differences, type Journal, nothingDone } from "../io/journal.js";
import type { Settings, Survey } from "../io/journal-file.js";
import { isResumed, type RouteOptions } from "./options.js";
import { isUnanswered, parseRecordNote, type RecordNote } from "./record-note.js";
import { type Run, recordId } from "./run.js";

/** What the results of a run depend on beside its input. Commands and routes may hold what is nobody's business: hashes. */
export function settingsOf(config: Config, options: RouteOptions, model: string): Settings {
  const all = {
    "arch-route": packageVersion(),
    routes: hash(config.routes),
    model,
    min_confidence: config.minConfidence,
    min_margin: config.minMargin,
    history: config.history,
    unicode: config.unicode,
    context: config.context,
    cascade_margin: config.cascade ? config.cascadeMargin : undefined,
    format: options.format,
    max_record_bytes: options.maxRecordBytes,
    output: options.json ? "json" : options.plain ? "plain" : options.explain ? "explain" : undefined,
    top: options.top,
    ...(options.session !== undefined && { session: hash(options.session), session_margin: config.sessionMargin }),
    ...(options.exec && {
      exec: options.dryRun ? "dry-run" : "run",
      stdin: config.stdin,
      timeout: config.timeout,
      max_output_bytes: options.maxOutputBytes,
    }),
  };
  const given = Object.entries(all).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([name, value]) => [name, String(value)]));
}

/** The hash by which the journal knows a record. */
export function contentHash(raw: RawRecord): string {
  return recordId(raw).slice(0, 32);
}

/**
 * Takes the records that a journal has as done from the input, and hands their notes to `recall`. Returns where the
 * journal ends. Throws E_USAGE if one of them, or what they were done with, is not the same any more, unless the
 * options allow it: then records done stay done, by their number.
 */
export async function skipDone(
  records: AsyncIterator<RawRecord>,
  journal: Journal,
  settings: Settings,
  { options, warn }: Pick<Run, "options" | "warn">,
  recall: (note: RecordNote) => void,
): Promise<Survey> {
  if (!isResumed(options)) return nothingDone;
  const { good, done, isTorn } = await journal.survey((note) => isUnanswered(parseRecordNote(note)));
  if (!options.resumeChanged) compareSettings(done, settings);
  for await (const { sequence, content, note } of journal.entries(done)) {
    const next = await records.next();
    if (!options.resumeChanged) {
      if (next.done) throw changed(`the input ends before record ${sequence}, which ${journal.path} has`);
      if (contentHash(next.value) !== content) {
        throw changed(`record ${sequence} (${next.value.source}:${next.value.line}) changed since ${journal.path}`);
      }
    }
    recall(parseRecordNote(note));
  }
  const left = good.records - done.records;
  if (isTorn) warn(`${options.output}: what was not written whole is cut off: going on after record ${done.records}`);
  if (left > 0) warn(`${options.output}: the model did not answer the last ${left} records: they are done again`);
  return done;
}

function compareSettings({ records, settings: stretches }: Survey, settings: Settings): void {
  for (const [index, stretch] of stretches.entries()) {
    const last = (stretches[index + 1]?.first ?? records + 1) - 1;
    const names = differences(stretch.settings, settings);
    if (last < stretch.first || names.length === 0) continue;
    throw changed(`records ${stretch.first} to ${last} were done with other settings (${names.join(", ")})`);
  }
}

function changed(what: string): ArchRouteError {
  const hint = "take back what was changed, or keep the records that are done with --resume-changed";
  return new ArchRouteError("E_USAGE", what, { hint });
}

/** What to type to go on with a run. */
export function resumeCommand(options: RouteOptions): string {
  const { commandLine = [], input } = options;
  const end = commandLine.indexOf("--");
  const place = end === -1 ? commandLine.length : end;
  const args = isResumed(options) ? commandLine : commandLine.toSpliced(place, 0, "--resume");
  const command = shellQuoted({ command: "arch-route", args, input: undefined });
  return input === undefined || commandLine.includes(STDIN) ? `${command}, and the same input` : command;
}

function hash(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 32);
}
