import type { Readable, Writable } from "node:stream";
import type { Environment } from "./folders.js";

/** What the program sees of the process it runs in; `process` itself will do. */
export interface Streams {
  readonly stdin: Readable & { readonly isTTY?: boolean; readonly fd?: number };
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly env: Environment;
  cwd(): string;
}

/** Whether a stream shows colours: a terminal that can, and a user who did not say no (no-color.org). */
export function hasColour(stream: { readonly isTTY?: boolean }, env: Environment): boolean {
  return stream.isTTY === true && !env["NO_COLOR"] && env["TERM"] !== "dumb";
}
