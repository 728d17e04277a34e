import { readFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";

/** What a thread count depends on. */
export interface Machine {
  /** Cores this process may run on. */
  readonly cores: number;
  /** CPU time the container may use, in cores; undefined: no limit. */
  readonly quota: number | undefined;
  /** Processes that want to run, averaged over the last minute. */
  readonly load: number;
}

// More threads than this gain nothing on models of this size.
const MOST = 16;

/**
 * Threads for an evaluation. llama.cpp's threads spin at a barrier after every operation, so one thread too many makes
 * all wait for a time slice: measured 180 times slower with 4 threads on 2 cores, and 2 threads on 2 busy cores are
 * slower than 1. Hence never more than may run, less what already runs.
 */
export function chooseThreads({ cores, quota, load }: Machine): number {
  const usable = Math.max(1, Math.min(cores, Math.floor(quota ?? cores), MOST));
  return Math.max(1, usable - Math.floor(load));
}

export function readMachine(): Machine {
  // loadavg is all zeros on Windows.
  return { cores: availableParallelism(), quota: readQuota(), load: loadavg()[0] ?? 0 };
}

/** The CPU quota of this process's control group (v2, then v1) in cores; the tightest one on the way up counts. */
export function readQuota(root = "/sys/fs/cgroup", self = "/proc/self/cgroup"): number | undefined {
  const line = read(self)
    ?.split("\n")
    .find((entry) => entry.startsWith("0::"));
  const parts = (line ?? "0::/").slice(3).split("/").filter(Boolean);
  const quotas = parts.concat("").map((_, depth) => {
    const [quota, period] = read(join(root, ...parts.slice(0, depth), "cpu.max"))?.split(" ") ?? [];
    return Number(quota) / Number(period);
  });
  const v1 = Number(read(join(root, "cpu", "cpu.cfs_quota_us"))) / Number(read(join(root, "cpu", "cpu.cfs_period_us")));
  const known = [...quotas, v1].filter((quota) => quota > 0 && Number.isFinite(quota));
  return known.length > 0 ? Math.min(...known) : undefined;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
