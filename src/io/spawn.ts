import { constants } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { execa, type Result } from "execa";
import type { Invocation } from "../core/dispatch.js";

export interface SpawnOptions {
  /**
   * `inherit`: the command writes where this process does; else its output is handed over
   * a piece at a time; `false` says that nobody wants more.
   */
  readonly stdout: "inherit" | ((chunk: Buffer) => Promise<boolean>);
  /** Milliseconds it may run. */
  readonly timeout?: number | undefined;
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Ends the command: its reason is the exit code 128 + signal. */
  readonly signal?: AbortSignal | undefined;
  /** At a terminal the command shares our process group, so that Ctrl-C and Ctrl-Z reach it as they would without us. */
  readonly shareGroup: boolean;
}

export interface CommandResult {
  /** What a shell would make of it: the command's own, 128 + signal, 124 its time limit, 126 not executable, 127 not found. */
  readonly exitCode: number;
  readonly signal: NodeJS.Signals | undefined;
  readonly timedOut: boolean;
  /** Something came out of it; unknown (false) for `inherit`. */
  readonly wroteOutput: boolean;
}

/** Milliseconds between asking a command to end and ending it. */
const GRACE = 5000;
const POLL = 50;
/** What a timer can hold: 24 days. One that is set for longer goes off at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** Runs a command without a shell, its input on stdin, its stderr ours; when it is ended, nothing of it is left behind. */
export async function spawnCommand(
  { command, args, input }: Invocation,
  options: SpawnOptions,
): Promise<CommandResult> {
  const { stdout, timeout, env = {}, signal, shareGroup } = options;
  const ownGroup = !shareGroup && process.platform !== "win32";
  let wroteOutput = false;
  const child = execa(command, args, {
    stdin: input === undefined ? "ignore" : "pipe",
    ...(input !== undefined && { input }),
    stdout: stdout === "inherit" ? "inherit" : "pipe",
    stderr: "inherit",
    // Unlimited: a long answer is passed on, not kept.
    buffer: false,
    env,
    reject: false,
    detached: ownGroup,
  });
  const ender = createEnder(child.pid, ownGroup);
  const timer =
    timeout === undefined ? undefined : setTimeout(() => ender.end("SIGTERM"), Math.min(timeout, LONGEST_TIMER));
  const interrupt = () => {
    const name = signalOf(signal?.reason);
    // At a terminal, Ctrl-C has reached the command already.
    if (ownGroup || name !== "SIGINT") ender.end(name);
  };
  if (signal?.aborted) interrupt();
  signal?.addEventListener("abort", interrupt);
  try {
    if (stdout !== "inherit" && child.stdout) {
      for await (const chunk of child.stdout) {
        wroteOutput = true;
        if (!(await stdout(chunk as Buffer))) break;
      }
    }
    const result = await child;
    const timedOut = ender.ended && !signal?.aborted;
    return { exitCode: timedOut ? TIMED_OUT : exitCodeOf(result), signal: result.signal, timedOut, wroteOutput };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", interrupt);
    await ender.settled();
  }
}

/** Exit codes as shells have them (POSIX, and coreutils' timeout). */
const TIMED_OUT = 124;
const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;

function exitCodeOf(result: Pick<Result, "exitCode" | "signal" | "code">): number {
  if (result.exitCode !== undefined) return result.exitCode;
  if (result.signal !== undefined) return 128 + constants.signals[result.signal];
  return result.code === "ENOENT" || result.code === "ENOTDIR" ? NOT_FOUND : NOT_EXECUTABLE;
}

function signalOf(exitCode: unknown): NodeJS.Signals {
  const found = Object.entries(constants.signals).find(([, number]) => 128 + number === exitCode);
  return (found?.[0] ?? "SIGTERM") as NodeJS.Signals;
}

/** Ends a process, or its whole group: a signal first, SIGKILL for what is still there after the grace period. */
function createEnder(pid: number | undefined, wholeGroup: boolean) {
  const target = pid === undefined ? undefined : wholeGroup ? -pid : pid;
  let ending: Promise<void> | undefined;
  return {
    get ended() {
      return ending !== undefined;
    },
    end(signal: NodeJS.Signals): void {
      if (target !== undefined) ending ??= endProcess(target, signal);
    },
    settled: () => ending ?? Promise.resolve(),
  };
}

async function endProcess(target: number, signal: NodeJS.Signals): Promise<void> {
  if (!kill(target, signal)) return;
  for (let waited = 0; waited < GRACE; waited += POLL) {
    await sleep(POLL);
    if (!kill(target, 0)) return;
  }
  kill(target, "SIGKILL");
}

/** False if there is no such process, or none left of the group. */
function kill(target: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(target, signal);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Starts a command that goes on without us: no input, its output nowhere, its failure nobody's business. */
export function startDetached([command = "", ...args]: readonly string[]): void {
  const child = execa(command, args, { stdio: "ignore", detached: true, cleanup: false, reject: false });
  child.unref();
}
