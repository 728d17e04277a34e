import { spawn, spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { isAlive, startTime } from "../../src/io/alive.js";
import { eventually } from "../helpers/scripts.js";

/** The id of a process that has ended. */
const ended = () => spawnSync("true").pid;

describe("isAlive", () => {
  it("knows this process, another one, and one that has ended", () => {
    expect(isAlive(process.pid)).toBe(true);
    expect(isAlive(process.ppid)).toBe(true);
    expect(isAlive(ended())).toBe(false);
  });

  it("knows one of another user", () => {
    expect(isAlive(1)).toBe(true);
  });

  it.runIf(process.platform === "linux")("tells a recycled process id by its start", () => {
    const started = startTime(process.pid);
    expect(started).toMatch(/^\d+$/);
    expect(isAlive(process.pid, started)).toBe(true);
    expect(isAlive(process.pid, `${started}0`)).toBe(false);
  });

  it.runIf(process.platform === "linux")("takes one that nobody has waited for yet for dead", async () => {
    // The shell becomes a process that waits for no child.
    const parent = spawn("sh", ["-c", "sleep 0.2 & echo $!; exec sleep 30"], { stdio: ["ignore", "pipe", "ignore"] });
    const pid = Number(await new Promise((resolve) => parent.stdout.once("data", resolve)));
    await eventually(() => !isAlive(pid), "the end of the child");
    expect(() => process.kill(pid, 0)).not.toThrow();
    parent.kill();
  });

  it("says nothing of the start of what is not there", () => {
    expect(startTime(ended())).toBeUndefined();
  });
});
