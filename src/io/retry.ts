import { ArchRouteError, type ErrorCode } from "../core/errors.js";

/** How long to wait, and how often to try again. */
export interface Patience {
  /** Milliseconds without a byte after which a connection counts as dead. */
  readonly stall: number;
  /** Tries in a row that may fail without getting any further. */
  readonly attempts: number;
  /** Milliseconds before the second try; doubled each time, and spread at random. */
  readonly delay: number;
}

/** What fits the open internet. */
export const defaultPatience: Patience = { stall: 30_000, attempts: 5, delay: 1000 };

/** Milliseconds of the longest wait, also of one that a server asks for. */
const LONGEST_WAIT = 60_000;

/** A transfer that failed. */
export class TransferFault extends Error {
  /** Another try may do better. */
  readonly again: boolean;
  readonly hint: string | undefined;
  /** Milliseconds that the server asked to wait. */
  readonly wait: number | undefined;

  constructor(message: string, details: { again: boolean; hint?: string; wait?: number | undefined; cause?: unknown }) {
    super(message, { cause: details.cause });
    this.again = details.again;
    this.hint = details.hint;
    this.wait = details.wait;
  }
}

export interface Retries {
  readonly patience: Patience;
  /** The code of the error that it ends with. Default: E_DOWNLOAD. */
  readonly code?: ErrorCode;
  readonly signal?: AbortSignal | undefined;
  /** Told why the next try waits, and how many milliseconds. */
  readonly onRetry?: ((why: string, wait: number) => void) | undefined;
}

/**
 * Runs a transfer until it succeeds. `progress` returns a number that grows as the transfer gets further: tries are only
 * counted while it does not. Throws an error with the last fault, and the signal's reason if that is aborted.
 */
export async function withRetries<T>(
  what: string,
  { patience, code = "E_DOWNLOAD", signal, onRetry }: Retries,
  run: () => Promise<T>,
  progress: () => number = () => 0,
): Promise<T> {
  let furthest = 0;
  for (let failures = 0; ; ) {
    try {
      return await run();
    } catch (cause) {
      signal?.throwIfAborted();
      if (!(cause instanceof TransferFault)) throw cause;
      failures = progress() > furthest ? 1 : failures + 1;
      furthest = Math.max(furthest, progress());
      if (!cause.again || failures >= patience.attempts) throw toError(what, cause, code);
      const wait = waitFor(cause, failures, patience.delay);
      onRetry?.(cause.message, wait);
      await pause(wait, signal);
    }
  }
}

function waitFor({ wait }: TransferFault, failures: number, delay: number): number {
  // At random, so that many clients of a server that fell do not come back at once.
  const backOff = delay * 2 ** (failures - 1) * (0.5 + Math.random() / 2);
  return Math.min(LONGEST_WAIT, Math.max(wait ?? 0, backOff));
}

function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const giveUp = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", giveUp);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", giveUp, { once: true });
  });
}

/** A fault as the error that people see. */
function toError(what: string, cause: TransferFault, code: ErrorCode): ArchRouteError {
  const hint = cause.hint ?? (cause.again ? "run it again to go on from here" : undefined);
  return new ArchRouteError(code, `${what}: ${cause.message}`, { cause, ...(hint !== undefined && { hint }) });
}
