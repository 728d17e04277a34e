import type { Decision } from "../core/decision.js";
import { type ErrorCode, exitCodes } from "../core/errors.js";
import type { Result } from "../ui/format.js";

/** How it went with a record, as far as a run's exit code and a journal need it. */
export interface RecordNote {
  readonly outcome: Decision["outcome"] | ErrorCode;
  /** Of its command: the exit code; after a comma the signal that ended it; or the code of the error that kept it from running. */
  readonly command?: string | undefined;
}

export function noteOf(result: Result): RecordNote {
  if ("error" in result) return { outcome: result.error.code };
  const { executed, routing } = result;
  if (executed === undefined) return { outcome: routing.outcome };
  if ("error" in executed) return { outcome: routing.outcome, command: executed.error.code };
  const signal = executed.signal === undefined ? "" : `,${executed.signal}`;
  return { outcome: routing.outcome, command: `${executed.exitCode}${signal}` };
}

/** A note as one line of text. */
export function formatRecordNote({ outcome, command }: RecordNote): string {
  return command === undefined ? outcome : `${outcome} ${command}`;
}

/** Such a line back. */
export function parseRecordNote(text: string): RecordNote {
  const [outcome, command] = text.split(" ");
  return { outcome: outcome as RecordNote["outcome"], command };
}

/** The error of a record that could not be routed. */
export function errorOf({ outcome }: RecordNote): ErrorCode | undefined {
  return Object.hasOwn(exitCodes, outcome) ? (outcome as ErrorCode) : undefined;
}

/** The record had a command, and it failed or could not be run. */
export function hasFailedCommand({ command }: RecordNote): boolean {
  return command !== undefined && command !== "0";
}

const noAnswer: ReadonlySet<string> = new Set(["E_MODEL_DIED", "E_REMOTE"]);

/** The engine gave no answer: it is not the record's fault, and another time it may. */
export function isUnanswered({ outcome }: RecordNote): boolean {
  return noAnswer.has(outcome);
}
