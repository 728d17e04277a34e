import { createWriteStream } from "node:fs";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { ArchRouteError } from "../core/errors.js";

/** Where results go. */
export interface Output {
  /** Resolves when the text has left this process, so that a slow reader slows the writer down. Throws E_OUTPUT. */
  write(text: string): Promise<void>;
  /** The reader closed its end (`| head`): nobody wants more. */
  readonly readerGone: boolean;
  /** Resolves when everything is written. Throws E_OUTPUT. */
  close(): Promise<void>;
}

/** Results into a stream that stays open (standard output). */
export function streamOutput(stream: Writable, name = "standard output"): Output {
  let readerGone = false;
  // Node reports a failed write twice; the callback is the one that is answered.
  stream.on("error", () => undefined);
  return {
    get readerGone() {
      return readerGone;
    },
    write(text) {
      if (readerGone) return Promise.resolve();
      return new Promise((resolve, reject) => {
        stream.write(text, (cause) => {
          if (!cause) return resolve();
          if ((cause as NodeJS.ErrnoException).code !== "EPIPE") return reject(outputError(name, cause));
          readerGone = true;
          resolve();
        });
      });
    },
    close: () => Promise.resolve(),
  };
}

/** Results into a new file, which replaces one that is there. */
export function fileOutput(path: string): Output {
  const stream = createWriteStream(path);
  const output = streamOutput(stream, path);
  return {
    readerGone: false,
    write: output.write,
    async close() {
      stream.end();
      await finished(stream).catch((cause: Error) => {
        throw outputError(path, cause);
      });
    },
  };
}

function outputError(name: string, cause: Error): ArchRouteError {
  const reasons = new Map([
    ["ENOSPC", "no space left"],
    ["EFBIG", "the file would be larger than allowed"],
    ["EACCES", "it may not be written"],
    ["ENOENT", "its folder does not exist"],
    ["EISDIR", "it is a folder"],
  ]);
  const why = reasons.get((cause as NodeJS.ErrnoException).code ?? "") ?? cause.message;
  return new ArchRouteError("E_OUTPUT", `${name}: cannot be written: ${why}`, { cause });
}
