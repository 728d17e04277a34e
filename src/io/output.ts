import { createWriteStream, type WriteStream } from "node:fs";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { ArchRouteError } from "../core/errors.js";

/** Where results go. */
export interface Output {
  /** Resolves when the text has left this process, so that a slow reader slows the writer down. Throws E_OUTPUT. */
  write(text: string | Buffer): Promise<void>;
  /** The reader closed its end (`| head`): nobody wants more. */
  readonly readerGone: boolean;
  /** Resolves when everything is written. Throws E_OUTPUT. */
  close(): Promise<void>;
}

/** Results into a stream that stays open (standard output). */
export function streamOutput(stream: Writable, name = "standard output"): Output {
  let readerGone = false;
  // Node reports a failed write twice; the callback is the one that is answered. What has failed before, as a file that
  // cannot be opened, is told to the callback as a write that came too late.
  let failure: Error | undefined;
  stream.on("error", (cause) => {
    failure ??= cause;
  });
  return {
    get readerGone() {
      return readerGone;
    },
    write(text) {
      if (readerGone) return Promise.resolve();
      return new Promise((resolve, reject) => {
        stream.write(text, (cause) => {
          if (!cause) return resolve();
          if ((cause as NodeJS.ErrnoException).code !== "EPIPE") return reject(outputError(name, failure ?? cause));
          readerGone = true;
          resolve();
        });
      });
    },
    close: () => Promise.resolve(),
  };
}

/**
 * Results into a new file, which replaces one that is there: with the first result, or at the end if there is none, so
 * that a run which fails before leaves it alone.
 */
export function fileOutput(path: string): Output {
  let stream: WriteStream | undefined;
  let output: Output | undefined;
  const open = () => {
    stream ??= createWriteStream(path);
    output ??= streamOutput(stream, path);
    return { stream, output };
  };
  return {
    readerGone: false,
    write: (text) => open().output.write(text),
    async close() {
      await finished(open().stream.end()).catch((cause: Error) => {
        throw outputError(path, cause);
      });
    },
  };
}

/** What kept something from being written, as E_OUTPUT. */
export function outputError(name: string, cause: Error, hint?: string): ArchRouteError {
  const reasons = new Map([
    ["ENOSPC", "no space left"],
    ["EFBIG", "the file would be larger than allowed"],
    ["EACCES", "it may not be written"],
    ["ENOENT", "its folder does not exist"],
    ["EISDIR", "it is a folder"],
  ]);
  const why = reasons.get((cause as NodeJS.ErrnoException).code ?? "") ?? cause.message;
  return new ArchRouteError("E_OUTPUT", `${name}: cannot be written: ${why}`, {
    cause,
    ...(hint !== undefined && { hint }),
  });
}
