import { EventEmitter } from "node:events";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { run } from "../../src/cli.js";
import type { EngineUse } from "../../src/commands/open-engine.js";
import type { Surroundings } from "../../src/commands/route.js";
import type { Engine } from "../../src/core/engine.js";
import type { Config } from "../../src/io/config.js";
import { createFakeEngine } from "./fake-engine.js";

export interface CliOptions {
  /** What is piped in; undefined: a terminal. */
  readonly stdin?: string | Buffer | Readable;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly engine?: Engine | ((config: Config, use: EngineUse) => Engine | Promise<Engine>);
  readonly stdoutIsTerminal?: boolean;
  readonly stderrIsTerminal?: boolean;
  /** Receives the signals' listeners; emit("SIGINT") interrupts. */
  readonly signals?: EventEmitter;
  readonly onOpen?: (config: Config, use: EngineUse) => void;
}

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** An empty folder for one test. */
export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), "arch-route-test-"));
}

/** Runs the whole program in this process on a fake engine, far from the user's own files. */
export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const home = temporaryFolder();
  const signals = options.signals ?? new EventEmitter();
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const collected = { stdout: "", stderr: "" };
  stdout.on("data", (chunk) => {
    collected.stdout += chunk;
  });
  stderr.on("data", (chunk) => {
    collected.stderr += chunk;
  });
  const io: Surroundings = {
    stdin: openStdin(options.stdin),
    stdout: Object.assign(stdout, { isTTY: options.stdoutIsTerminal ?? false, columns: 80 }),
    stderr: Object.assign(stderr, { isTTY: options.stderrIsTerminal ?? false, columns: 80 }),
    env: {
      HOME: home,
      XDG_CONFIG_HOME: join(home, "config"),
      XDG_CACHE_HOME: join(home, "cache"),
      XDG_STATE_HOME: join(home, "state"),
      ...options.env,
    },
    cwd: () => options.cwd ?? home,
    pid: process.pid,
    on: (signal, listener) => signals.on(signal, listener),
    off: (signal, listener) => signals.off(signal, listener),
    kill: (_pid, signal) => signals.emit("killed", signal),
    openEngine: async (config, use) => {
      options.onOpen?.(config, use);
      const { engine = createFakeEngine() } = options;
      return typeof engine === "function" ? await engine(config, use) : engine;
    },
  };
  const code = await run(["node", "arch-route", ...args], io);
  return { code, ...collected };
}

function openStdin(input: CliOptions["stdin"]): Surroundings["stdin"] {
  if (input instanceof Readable) return input;
  if (input === undefined) return Object.assign(Readable.from([]), { isTTY: true });
  return Readable.from(input.length === 0 ? [] : [Buffer.from(input)]);
}
