import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { chooseThreads, readMachine, readQuota } from "../../src/engine/threads.js";
import { temporaryFolder } from "../helpers/run-cli.js";

describe("chooseThreads", () => {
  it.each([
    ["all cores of an idle machine", 4, undefined, 0, 4],
    ["one on a single core", 1, undefined, 0, 1],
    ["no more than the quota", 8, 2, 0, 2],
    ["whole cores of a broken quota", 8, 2.9, 0, 2],
    ["one under a quota below one core", 8, 0.5, 0, 1],
    ["the cores if the quota is larger", 2, 16, 0, 2],
    ["no more than sixteen", 128, undefined, 0, 16],
    ["less what already runs", 8, undefined, 3.7, 5],
    ["all of them under half a process of load", 8, undefined, 0.9, 8],
    ["one on a busy machine", 2, undefined, 1.2, 1],
    ["one on an overloaded machine", 4, undefined, 40, 1],
    ["what load leaves of the quota", 16, 4, 2, 2],
  ])("uses %s", (_, cores, quota, load, threads) => {
    expect(chooseThreads({ cores, quota, load })).toBe(threads);
  });
});

/** A machine's control groups: files below a root, and what /proc/self/cgroup says; null: there is no such file. */
function quotaOf(files: Readonly<Record<string, string>>, self: string | null): number | undefined {
  const folder = temporaryFolder();
  const write = (path: string, content: string) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  };
  for (const [path, content] of Object.entries(files)) write(join(folder, "cgroup", path), content);
  if (self !== null) write(join(folder, "self"), self);
  return readQuota(join(folder, "cgroup"), join(folder, "self"));
}

describe("readQuota", () => {
  it.each([
    ["nothing without control groups", {}, null, undefined],
    ["nothing from an empty file", { "cpu.max": "" }, "0::/\n", undefined],
    ["nothing from nonsense", { "cpu.max": "lots of it\n" }, "0::/\n", undefined],
    ["nothing if there is no limit", { "cpu.max": "max 100000\n" }, "0::/\n", undefined],
    ["a v2 limit of the root", { "cpu.max": "200000 100000\n" }, "0::/\n", 2],
    ["a fraction of a core", { "cpu.max": "50000 100000\n" }, "0::/\n", 0.5],
    ["a v2 limit of the own group", { "a/b/cpu.max": "150000 50000\n" }, "0::/a/b\n", 3],
    ["the limit of a group around", { "a/cpu.max": "100000 100000\n", "a/b/cpu.max": "max 100000\n" }, "0::/a/b\n", 1],
    [
      "the tightest of nested limits",
      { "cpu.max": "800000 100000", "a/cpu.max": "200000 100000", "a/b/cpu.max": "400000 100000" },
      "0::/a/b\n",
      2,
    ],
    ["nothing from groups beside", { "a/c/cpu.max": "100000 100000\n" }, "0::/a/b\n", undefined],
    ["nothing from groups below", { "a/b/c/cpu.max": "100000 100000\n" }, "0::/a/b\n", undefined],
    [
      "the v2 line among v1 ones",
      { "a/cpu.max": "300000 100000\n", "b/cpu.max": "100000 100000\n" },
      "4:cpu,cpuacct:/b\n1:name=systemd:/b\n0::/a\n",
      3,
    ],
    ["the root's limit if the own group is unknown", { "cpu.max": "100000 100000\n" }, null, 1],
    [
      "a v1 limit",
      { "cpu/cpu.cfs_quota_us": "250000\n", "cpu/cpu.cfs_period_us": "100000\n" },
      "4:cpu,cpuacct:/\n",
      2.5,
    ],
    [
      "nothing from v1 without a limit",
      { "cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n" },
      "4:cpu,cpuacct:/\n",
      undefined,
    ],
    ["nothing from half of v1", { "cpu/cpu.cfs_quota_us": "250000\n" }, "4:cpu:/\n", undefined],
  ] as const)("finds %s", (_, files, self, quota) => {
    expect(quotaOf(files, self)).toBe(quota);
  });
});

describe("readMachine", () => {
  it("finds at least one core and no negative load", () => {
    const { cores, load } = readMachine();
    expect(cores).toBeGreaterThanOrEqual(1);
    expect(load).toBeGreaterThanOrEqual(0);
  });
});
