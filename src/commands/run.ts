import { createHash } from "node:crypto";
import type { Engine } from "../core/engine.js";
import type { Config } from "../io/config.js";
import type { RawRecord } from "../io/input.js";
import type { SignalSource } from "../io/interrupt.js";
import type { Output } from "../io/output.js";
import type { Streams } from "../io/streams.js";
import { type EngineUse, openEngine } from "./open-engine.js";
import type { RouteOptions } from "./options.js";
import type { RoutedRecord } from "./route-record.js";

/** The process, and what a test may put in place of the engine. */
export interface Surroundings extends Streams, SignalSource {
  readonly openEngine?: (config: Config, use: EngineUse) => Promise<Engine>;
}

/** What all records of a run have in common. */
export interface Run {
  readonly config: Config;
  readonly options: RouteOptions;
  readonly io: Surroundings;
  readonly output: Output;
  readonly warn: (message: string) => void;
}

/** The engine of a run, or of another configuration within it. */
export async function open({ io, options, warn }: Run, config: Config, isolated: boolean): Promise<Engine> {
  const advise = io.stderr.isTTY && !options.quiet ? warn : undefined;
  return await (io.openEngine ?? openEngine)(config, { isolated, warn, advise });
}

/** With `-x`: the record's command run, its output kept for the record. */
export async function captured(
  routed: RoutedRecord,
  raw: RawRecord,
  run: Run,
  signal: AbortSignal | undefined,
): Promise<RoutedRecord> {
  const { config, options, io, warn } = run;
  if (!options.exec || options.dryRun || "error" in routed) return routed;
  const { executeCaptured } = await import("./exec.js");
  const context = { config, io, warn, signal, id: recordId(raw) };
  return {
    ...(await executeCaptured(routed, routed.record.conversation, options.maxOutputBytes, context)),
    record: routed.record,
  };
}

/** The same record has the same id in every run: a command, or a journal, can tell that it has seen it. */
export function recordId(raw: RawRecord): string {
  // What could not be read is known by what was wrong with it, as in its line of the output.
  const content = "text" in raw ? raw.text : `${raw.error.code}\n${raw.error.message}`;
  return createHash("sha256").update(`${raw.line}\n${content}`).digest("hex");
}
