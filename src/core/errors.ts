/**
 * Every failure the tool can name, and the exit code of the process it leads to (README, "Exit codes").
 * Codes at or above 128 are signals and never stand here.
 */
export const exitCodes = {
  E_USAGE: 2,
  E_CONFIG: 2,
  E_READ: 3,
  E_UTF8: 3,
  E_JSON: 3,
  E_SHAPE: 3,
  E_TOO_LARGE: 3,
  E_MODEL: 4,
  E_MODEL_DIED: 4,
  E_REMOTE: 4,
  E_DOWNLOAD: 5,
  E_OUTPUT: 6,
  E_NUL: 2,
  E_TOO_LONG: 2,
} as const;

export type ErrorCode = keyof typeof exitCodes;

/** No route although `--require-route` asked for one. */
export const NO_ROUTE = 1;
/** In a batch: a record's command failed, or there was none. */
export const COMMAND_FAILED = 8;
/** A defect of this program: the only failure that is shown with a stack. */
export const BUG = 70;

export interface ErrorDetails {
  /** What the reader can do about it; printed after the message. */
  readonly hint?: string;
  /** JSON pointer (RFC 6901) to the offending value in the document that was read. */
  readonly pointer?: string;
  readonly cause?: unknown;
}

/** A failure that people can act on: `message` says what and why, `hint` what to do. */
export class ArchRouteError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly pointer: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, "cause" in details ? { cause: details.cause } : undefined);
    this.name = "ArchRouteError";
    this.code = code;
    this.hint = details.hint;
    this.pointer = details.pointer;
  }
}

const gravity = [6, 4, 5, 3, 8, NO_ROUTE];

/** The exit code of a run in which several things happened: a signal first, then 6, 4, 5, 3, 8, 1, then any other; none: 0. */
export function gravestExitCode(codes: Iterable<number>): number {
  const seen = new Set(codes);
  const signal = Math.max(0, ...[...seen].filter((code) => code >= 128));
  return signal || (gravity.find((code) => seen.has(code)) ?? Math.max(0, ...seen));
}
