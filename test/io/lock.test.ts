import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startTime } from "../../src/io/alive.js";
import { Locked, takeLock } from "../../src/io/lock.js";
import { temporaryFolder } from "../helpers/run-cli.js";

const dead = () => spawnSync("true").pid;
const stale = (more: object = {}) => JSON.stringify({ id: "0123456789abcdef", pid: dead(), host: hostname(), ...more });

/** A path for a lock, with what is there already. */
function lockPath(content?: string): { readonly path: string; readonly left: () => string[] } {
  const folder = temporaryFolder();
  const path = join(folder, "lock");
  if (content !== undefined) writeFileSync(path, content);
  return { path, left: () => readdirSync(folder) };
}

describe("takeLock", () => {
  it("takes it, says who has it, and gives it back", async () => {
    const { path, left } = lockPath();
    const release = await takeLock(path);
    expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({ pid: process.pid, host: hostname() });
    await release();
    expect(left()).toEqual([]);
  });

  it("rejects while another has it, with that one's process", async () => {
    const { path } = lockPath();
    const other = spawn("sleep", ["30"]);
    writeFileSync(path, stale({ pid: other.pid, started: startTime(other.pid ?? 0) }));
    await expect(takeLock(path)).rejects.toMatchObject({ pid: other.pid, host: undefined });
    other.kill();
    await new Promise((resolve) => other.once("exit", resolve));
    await (await takeLock(path))();
    expect(existsSync(path)).toBe(false);
  });

  it.each([
    ["a process that has ended", stale()],
    ["a process whose id was given to another", stale({ pid: process.pid, started: "1" })],
    ["nobody", ""],
    ["half a name", stale().slice(0, 20)],
    ["something else", "hello\n"],
    ["a name that would lead elsewhere", stale({ id: "../../x" })],
  ])("takes over the lock of %s", async (_, content) => {
    const { path, left } = lockPath(content);
    const release = await takeLock(path);
    expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({ pid: process.pid });
    expect(left()).toEqual(["lock"]);
    await release();
    expect(left()).toEqual([]);
  });

  it("cannot know whether a process of another machine has ended", async () => {
    const { path } = lockPath(stale({ host: "elsewhere" }));
    await expect(takeLock(path)).rejects.toMatchObject({ host: "elsewhere" });
  });

  it("is given to one of many that find a stale one, and the others learn who has it", async () => {
    for (let round = 0; round < 50; round++) {
      const { path, left } = lockPath(round % 2 === 0 ? stale() : undefined);
      const later = async (turns: number) => {
        for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
        return await takeLock(path);
      };
      const tries = await Promise.allSettled(Array.from({ length: 10 }, (_, index) => later(index * (round % 5))));
      const taken = tries.filter((one) => one.status === "fulfilled");
      const refused = tries.filter((one) => one.status === "rejected");
      expect([taken.length, refused.length]).toEqual([1, 9]);
      for (const { reason } of refused) expect(reason).toBeInstanceOf(Locked);
      expect(left()).toEqual(["lock"]);
    }
  });

  it("is taken over although the one before died while it took it over", async () => {
    const { path, left } = lockPath(stale());
    writeFileSync(`${path}.0123456789abcdef`, stale({ id: "fedcba9876543210" }));
    await (await takeLock(path))();
    expect(left()).toEqual([]);
  });

  it("is not given back by one who has lost it", async () => {
    const { path } = lockPath();
    const release = await takeLock(path);
    writeFileSync(path, stale());
    await release();
    expect(existsSync(path)).toBe(true);
  });

  it("rejects where no file can be written", async () => {
    await expect(takeLock("/nowhere/lock")).rejects.toMatchObject({ code: "ENOENT" });
  });
});
