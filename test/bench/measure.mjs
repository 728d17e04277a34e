import { spawn, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";

/**
 * The middle of some numbers, of an even count the mean of the two in the middle.
 * @param {readonly number[]} values
 */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * Measures all subjects in turn, A B A B …, so that what else happens on the machine hits all of them alike.
 * @param {readonly {readonly rounds?: number, measure(round: number): Promise<number> | number}[]} subjects
 * @returns {Promise<number[][]>} what each measured, in the order of the rounds
 */
export async function interleave(subjects, rounds) {
  const values = subjects.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, subject] of subjects.entries()) {
      if (round < (subject.rounds ?? rounds)) values[index].push(await subject.measure(round));
    }
  }
  return values;
}

/**
 * Seconds from the start of a process to its end, and what it printed. Throws if it fails.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{env?: NodeJS.ProcessEnv, input?: string}} options
 */
export function timed(command, args, { env, input = "" } = {}) {
  const started = performance.now();
  const { status, error, stdout, stderr } = spawnSync(command, args, { env, input, encoding: "utf8" });
  const seconds = (performance.now() - started) / 1000;
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${error?.message ?? stderr}`);
  return { seconds, stdout };
}

/**
 * Runs a process that prints a line a record.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{env?: NodeJS.ProcessEnv}} options
 * @returns lines, the seconds from the first to the last of them, and the most memory in MiB that the process and those it
 * started held at once (undefined where there is no /proc)
 */
export async function streamed(command, args, { env } = {}) {
  const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let errors = "";
  child.stderr.on("data", (text) => {
    errors += text;
  });
  const exit = new Promise((resolve, reject) => child.on("error", reject).on("exit", resolve));
  let memory = peakMemory(child.pid);
  const watch = setInterval(() => {
    memory = Math.max(memory ?? 0, peakMemory(child.pid) ?? 0);
  }, 200);
  const lines = [];
  let [first, last] = [0, 0];
  for await (const line of createInterface({ input: child.stdout })) {
    last = performance.now();
    first ||= last;
    lines.push(line);
  }
  const code = await exit;
  clearInterval(watch);
  if (code !== 0) throw new Error(`${command} ${args.join(" ")}: ${errors}`);
  return { lines, seconds: (last - first) / 1000, memory };
}

/** The most memory that a process and those it started have held, in MiB; undefined: it is gone, or there is no /proc. */
export function peakMemory(pid) {
  try {
    const kibibytes = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]);
    const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean),
    );
    return children.reduce((sum, child) => sum + (peakMemory(child) ?? 0), kibibytes / 1024);
  } catch {
    return undefined;
  }
}
