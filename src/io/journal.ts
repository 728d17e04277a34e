import { existsSync, lstatSync, realpathSync, statSync } from "node:fs";
import { type FileHandle, open, stat, unlink } from "node:fs/promises";
import { ArchRouteError } from "../core/errors.js";
import {
  type Entry,
  finishCheck,
  formatEntry,
  formatSettings,
  OutputChanged,
  readEntries,
  type Settings,
  type Survey,
  startCheck,
  surveyJournal,
} from "./journal-file.js";
import { Locked, takeLock } from "./lock.js";
import { type Output, outputError } from "./output.js";

/** A file of results and, beside it, a journal of the records that are in it; ours alone while they are open. */
export interface Journal {
  readonly path: string;
  /** Results, after those that the journal has. For use after `begin`. */
  readonly output: Output;
  /** What is there; notes at its end that `isVoid` are left out. Changes nothing. Throws E_USAGE if the output was changed. */
  survey(
    isVoid: (note: string) => boolean,
  ): Promise<{ readonly good: Survey; readonly done: Survey; readonly isTorn: boolean }>;
  /** The records of a survey, in order. */
  entries(survey: Survey): AsyncGenerator<Entry>;
  /** Cuts both files back to a survey; what is added is done with these settings. Throws E_OUTPUT. */
  begin(survey: Survey, settings: Settings): Promise<void>;
  /** The record is done: its results have been written to the output. Throws E_OUTPUT. */
  add(content: string, note: string): Promise<void>;
  /** All records are done, and this is on the disk; the journal goes unless it is to be `kept`. Throws E_OUTPUT. */
  complete(kept: boolean): Promise<void>;
  /** Closes the files and gives the lock back; never throws. */
  release(): Promise<void>;
}

/** What to do when the results have no more room. */
const GO_ON = "mend that, then go on with --resume";

/** A survey of nothing. */
export const nothingDone: Survey = { records: 0, journalEnd: 0, outputEnd: 0, settings: [] };

/** Whether results can be continued there: a file, or nothing yet; no device, pipe or folder. */
export function canHaveJournal(output: string): boolean {
  try {
    return statSync(output).isFile();
  } catch {
    return true;
  }
}

/**
 * Opens the journal of an output. `resume`: to go on with it; else there must be none with records in it, as there may
 * be no results without a journal to go on with. Throws E_USAGE, also if another process has it, and E_OUTPUT.
 */
export async function openJournal(output: string, resume: boolean): Promise<Journal> {
  const path = journalPath(output);
  const unlock = await takeLock(`${path}.lock`).catch((error) => {
    if (error instanceof Locked) throw inUse(output, error);
    throw outputError(error.code === "ENOENT" ? output : path, error);
  });
  try {
    if (!resume) await refuseUnfinished(output);
    else if ((await sizeOf(path)) === 0 && (await sizeOf(output)) > 0) throw noJournal(output);
  } catch (error) {
    await unlock();
    throw error;
  }
  return createJournal(output, path, unlock);
}

/** Throws E_USAGE if there is a journal that says that records are done: their results would be lost. */
export async function refuseUnfinished(output: string): Promise<void> {
  let records = 0;
  for await (const { sequence } of readEntries(journalPath(output))) records = sequence;
  if (records === 0) return;
  throw new ArchRouteError("E_USAGE", `${output}: its journal has ${records} records that are done`, {
    hint: `go on with --resume, or remove ${journalPath(output)}`,
  });
}

function createJournal(output: string, path: string, unlock: () => Promise<void>): Journal {
  let results: FileHandle | undefined;
  let lines: FileHandle | undefined;
  let [records, end, hash] = [0, 0, startCheck()];

  return {
    path,
    output: {
      readerGone: false,
      async write(text) {
        const bytes = Buffer.from(text);
        await writing(output, () => results?.appendFile(bytes), GO_ON);
        hash.update(bytes);
        end += bytes.length;
      },
      close: () => Promise.resolve(),
    },
    async survey(isVoid) {
      const found = await surveyJournal(path, output, isVoid).catch((error) => {
        throw error instanceof OutputChanged ? changed(output, error) : error;
      });
      const { journalEnd, outputEnd } = found.good;
      return { ...found, isTorn: (await sizeOf(path)) !== journalEnd || (await sizeOf(output)) !== outputEnd };
    },
    entries: ({ journalEnd }) => readEntries(path, journalEnd),
    async begin(survey, settings) {
      results = await writing(output, () => open(output, "a"));
      lines = await writing(path, () => open(path, "a", 0o600));
      // A journal that is there stands for what is in the output: hence the output first.
      await writing(output, () => results?.truncate(survey.outputEnd));
      await writing(path, () => lines?.truncate(survey.journalEnd));
      const last = survey.settings.at(-1)?.settings;
      if (last === undefined || differences(last, settings).length > 0) {
        await writing(path, () => lines?.appendFile(formatSettings(settings)));
      }
      ({ records, outputEnd: end } = survey);
    },
    async add(content, note) {
      const entry = { sequence: ++records, content, end, check: finishCheck(hash), note };
      hash = startCheck();
      await writing(path, () => lines?.appendFile(formatEntry(entry)), GO_ON);
    },
    async complete(kept) {
      await writing(output, () => results?.sync());
      await writing(path, () => lines?.sync());
      await lines?.close();
      lines = undefined;
      if (!kept) await writing(path, () => unlink(path));
    },
    async release() {
      await Promise.allSettled([results?.close(), lines?.close()]);
      await unlock().catch(() => undefined);
    },
  };
}

/** The names of settings that are not the same. */
export function differences(one: Settings, other: Settings): string[] {
  return [...new Set([...Object.keys(one), ...Object.keys(other)])].filter((name) => one[name] !== other[name]);
}

/** Of a link: beside the file that it leads to, which has one journal by whatever name. */
function journalPath(output: string): string {
  return `${isLink(output) ? realpathSync(output) : output}.journal`;
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink() && existsSync(path);
  } catch {
    return false;
  }
}

async function writing<Value>(
  path: string,
  write: () => Promise<Value> | undefined,
  hint?: string,
): Promise<Value | undefined> {
  try {
    return await write();
  } catch (cause) {
    throw outputError(path, cause as Error, hint);
  }
}

async function sizeOf(path: string): Promise<number> {
  return await stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

function inUse(output: string, { path, pid, host }: Locked): ArchRouteError {
  const who = host === undefined ? `process ${pid}` : `process ${pid} on ${host}`;
  return new ArchRouteError("E_USAGE", `${output}: ${who} is writing it`, {
    hint: host === undefined ? "wait for its end" : `wait for its end, or remove ${path} if it has ended`,
  });
}

function noJournal(output: string): ArchRouteError {
  return new ArchRouteError("E_USAGE", `--resume: ${output} holds results, but ${journalPath(output)} is not there`, {
    hint: "write to another file, or leave --resume out to begin again",
  });
}

function changed(output: string, { sequence }: OutputChanged): ArchRouteError {
  return new ArchRouteError("E_USAGE", `${output}: what it holds of record ${sequence} was changed since`, {
    hint: `put it back, or remove ${journalPath(output)} to begin again`,
  });
}
