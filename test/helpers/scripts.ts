import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { temporaryFolder } from "./run-cli.js";

/** A new executable shell script; its path. */
export function script(body: string, name = "command", folder = temporaryFolder()): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return path;
}

/** Waits until something holds. */
export async function eventually(holds: () => boolean, what: string, patience = 10_000): Promise<void> {
  for (const started = Date.now(); Date.now() - started < patience; await sleep(20)) if (holds()) return;
  throw new Error(`never within ${patience} ms: ${what}`);
}

/** Whether there is such a process, and not only its remains. */
export function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

/** The process ids that scripts wrote into a file, one a line, once there are so many. */
export async function pidsIn(file: string, count: number): Promise<number[]> {
  const read = () => {
    try {
      return readFileSync(file, "utf8").split("\n").slice(0, -1).map(Number);
    } catch {
      return [];
    }
  };
  await eventually(() => read().length >= count, `${count} process ids in ${file}`);
  return read();
}

// One for the whole run: with an empty cache a process first tries the native library in another one, as it does once on a user's machine.
const sharedCache = join(tmpdir(), "cache");

/** The environment of a user with this configuration. */
export function userWith(config: object): Readonly<Record<string, string>> {
  const home = temporaryFolder();
  mkdirSync(join(home, "arch-route"));
  writeFileSync(join(home, "arch-route", "config.json"), JSON.stringify(config));
  return { XDG_CONFIG_HOME: home, XDG_STATE_HOME: join(home, "state"), XDG_CACHE_HOME: sharedCache };
}
