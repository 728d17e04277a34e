import type { InputFormat } from "../io/input-format.js";

/** The default command's options that are no settings of the configuration. */
export interface RouteOptions {
  readonly input?: readonly string[];
  readonly output?: string;
  readonly format: InputFormat | "auto";
  readonly json?: boolean;
  readonly plain?: boolean;
  readonly explain?: boolean;
  readonly top?: number;
  readonly requireRoute?: boolean;
  readonly showPrompt?: boolean;
  readonly maxRecordBytes: number;
  readonly exec?: boolean;
  readonly dryRun?: boolean;
  readonly session?: string;
  /** Commands of a batch, or requests to a server, at once. */
  readonly jobs: number;
  readonly halt?: { readonly when: "now" | "soon"; readonly failures: number };
  /** Bytes of a command's output that a record keeps. */
  readonly maxOutputBytes: number;
  /** Go on with the batch that the output's journal tells of. */
  readonly resume?: boolean;
  /** The same, although the input or what the results depend on has changed. */
  readonly resumeChanged?: boolean;
  readonly quiet?: boolean;
  /** What was typed after the program's name. */
  readonly commandLine?: readonly string[];
}

/** Whether a batch is to be gone on with. */
export function isResumed({ resume, resumeChanged }: RouteOptions): boolean {
  return resume === true || resumeChanged === true;
}
