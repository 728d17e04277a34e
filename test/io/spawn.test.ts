import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { Invocation } from "../../src/core/dispatch.js";
import { type SpawnOptions, spawnCommand, startDetached } from "../../src/io/spawn.js";
import { temporaryFolder } from "../helpers/run-cli.js";
import { eventually, isAlive, pidsIn, script } from "../helpers/scripts.js";

const sh = (body: string, input?: string): Invocation => ({ command: "/bin/sh", args: ["-c", body], input });

/** Runs a command and keeps what it writes. */
async function spawned(invocation: Invocation, options: Partial<SpawnOptions> = {}) {
  let text = "";
  const stdout = async (chunk: Buffer) => {
    text += chunk;
    return true;
  };
  return { ...(await spawnCommand(invocation, { stdout, shareGroup: false, ...options })), text };
}

describe("spawnCommand", () => {
  it("hands the input over, and the output back as it is", async () => {
    const input = "a b\n$(touch x) `y` 'é🙂\n\n";
    expect(await spawned({ command: "cat", args: [], input })).toEqual({
      ...{ exitCode: 0, signal: undefined, timedOut: false, wroteOutput: true },
      text: input,
    });
  });

  it("gives each argument as it is, to a program and not to a shell", async () => {
    const args = ["$(touch x)", "`touch x`", "; touch x", "a\nb", "-rf", "--help", "%PATH%", "'\"", "", "*", "~"];
    const { text } = await spawned({ command: "printf", args: ["%s\\0", ...args], input: undefined });
    expect(text.split("\0").slice(0, -1)).toEqual(args);
  });

  it("gives no input where there is none, and an empty one where it is empty", async () => {
    expect(await spawned(sh("cat; [ -c /proc/self/fd/0 ] && echo none"))).toMatchObject({ text: "none\n" });
    expect(await spawned(sh("cat; [ -c /proc/self/fd/0 ] || echo empty", ""))).toMatchObject({ text: "empty\n" });
  });

  it("adds to the environment and leaves the rest", async () => {
    const { text } = await spawned(sh('echo "$ARCH_ROUTE_ID"; test -n "$PATH" && echo path'), {
      env: { ARCH_ROUTE_ID: "7" },
    });
    expect(text).toBe("7\npath\n");
  });

  it.each([
    ["its own exit code", "exit 7", 7, undefined],
    ["exit code 255", "exit 255", 255, undefined],
    ["128 + 15 for a SIGTERM", "kill -TERM $$", 143, "SIGTERM"],
    ["128 + 9 for a SIGKILL", "kill -KILL $$", 137, "SIGKILL"],
    ["128 + 6 for an abort", "kill -ABRT $$", 134, "SIGABRT"],
    ["0 although its answer is empty", "true", 0, undefined],
  ])("reports %s", async (_, body, exitCode, signal) => {
    expect(await spawned(sh(body))).toMatchObject({ exitCode, signal, timedOut: false, wroteOutput: false });
  });

  it.each([
    ["127 for a command that is not there", () => "/nowhere/command", 127],
    ["127 for a name that is not on PATH", () => "arch-route-has-no-such-command", 127],
    ["127 for a path through a file", () => join(script("true"), "x"), 127],
    ["126 for a folder", () => temporaryFolder(), 126],
    [
      "126 for a file without the permission",
      () => {
        const path = join(temporaryFolder(), "plain");
        writeFileSync(path, "#!/bin/sh\n", { mode: 0o644 });
        return path;
      },
      126,
    ],
  ])("reports %s", async (_, command, exitCode) => {
    const result = await spawned({ command: command(), args: [], input: "x" });
    expect(result).toMatchObject({ exitCode, signal: undefined, timedOut: false, wroteOutput: false });
  });

  it("knows that something came out before the failure", async () => {
    expect(await spawned(sh("echo begun; exit 3"))).toMatchObject({ exitCode: 3, wroteOutput: true });
  });
});

describe("a command that does not want its 64 MB of input", () => {
  const input = "x".repeat(64 * 1024 * 1024);

  it.each([
    ["because it ends at once", { command: "true", args: [] }, 0],
    ["because it fails at once", { command: "false", args: [] }, 1],
    ["because it closes its input", sh("exec 0<&-; sleep 0.3; exit 5"), 5],
    ["because it reads a line of it only", sh("head -c 10 >/dev/null; exit 4"), 4],
    ["because it is not there", { command: "/nowhere/command", args: [] }, 127],
  ])("counts by its own exit code, %s", async (_, command, exitCode) => {
    expect(await spawned({ ...command, input })).toMatchObject({ exitCode, timedOut: false });
  });

  it("gets all of it if it does", async () => {
    expect((await spawned(sh("wc -c", input))).text.trim()).toBe(String(input.length));
  });
});

describe("a time limit", () => {
  it("is no matter to a command that is faster", async () => {
    expect(await spawned(sh("echo done"), { timeout: 20_000 })).toMatchObject({ exitCode: 0, text: "done\n" });
  });

  it("may be longer than a timer can be", async () => {
    expect(await spawned(sh("sleep 0.2"), { timeout: 1e12 })).toMatchObject({ exitCode: 0, timedOut: false });
  });

  it("ends a command with SIGTERM, as 124, whatever it makes of that", async () => {
    const started = Date.now();
    expect(await spawned(sh("sleep 60"), { timeout: 100 })).toMatchObject({ exitCode: 124, timedOut: true });
    const polite = sh("trap 'echo bye; exit 0' TERM; while :; do sleep 0.05; done");
    expect(await spawned(polite, { timeout: 300 })).toMatchObject({ exitCode: 124, timedOut: true, text: "bye\n" });
    expect(Date.now() - started).toBeLessThan(5000);
  });

  it.each([
    ["that hangs", "sleep 300 & echo $! >>$0; sleep 300"],
    ["that leaves its children alone", "sleep 300 & echo $! >>$0; exit 0"],
    ["whose children ignore SIGTERM", "(trap '' TERM; sleep 300 & echo $! >>$0; wait; sleep 300) & wait"],
    ["that ignores SIGTERM with all of its own", "trap '' TERM; sleep 300 & echo $! >>$0; while :; do sleep 1; done"],
  ])("leaves nothing of a command %s", async (_, body) => {
    const pids = join(temporaryFolder(), "pids");
    const command = { command: "/bin/sh", args: ["-c", `echo $$ >>$0; ${body}`, pids], input: "x" };
    const started = Date.now();
    // On a busy machine a shell may take a second until its trap is set.
    const [result, found] = await Promise.all([spawned(command, { timeout: 1500 }), pidsIn(pids, 2)]);
    expect(result).toMatchObject({ exitCode: 124, timedOut: true, wroteOutput: false });
    expect(Date.now() - started).toBeGreaterThan(1400);
    expect(Date.now() - started).toBeLessThan(9000);
    await eventually(() => !found.some(isAlive), `the end of ${found}`, 1000);
  });

  it("waits five seconds before SIGKILL, not less", async () => {
    const pids = join(temporaryFolder(), "pids");
    const body = `echo $$ >${pids}; trap '' TERM; while :; do sleep 0.1; done`;
    const started = Date.now();
    const running = spawned(sh(body), { timeout: 300 });
    const [pid = 0] = await pidsIn(pids, 1);
    await sleep(4500 - (Date.now() - started));
    expect(isAlive(pid)).toBe(true);
    expect(await running).toMatchObject({ exitCode: 124, signal: "SIGKILL" });
    expect(isAlive(pid)).toBe(false);
  });
});

describe("an abort", () => {
  it.each([
    [130, "SIGINT", 130],
    [143, "SIGTERM", 143],
    [129, "SIGHUP", 129],
  ])("with the reason %i sends %s to the whole group", async (reason, signal, exitCode) => {
    const pids = join(temporaryFolder(), "pids");
    const controller = new AbortController();
    const body = `echo $$ >>${pids}; sleep 300 & echo $! >>${pids}; wait`;
    // A shell without job control has SIGINT ignored in what runs behind it: python's child has not.
    const python = `import os,sys,signal,time
signal.signal(signal.SIGINT, signal.SIG_DFL)
if os.fork(): open(${JSON.stringify(pids)},"a").write(f"{os.getpid()}\\n")
else: open(${JSON.stringify(pids)},"a").write(f"{os.getpid()}\\n")
time.sleep(300)`;
    const command = reason === 130 ? { command: "python3", args: ["-c", python], input: "" } : sh(body, "");
    const running = spawned(command, { signal: controller.signal });
    const found = await pidsIn(pids, 2);
    controller.abort(reason);
    expect(await running).toMatchObject({ exitCode, signal, timedOut: false });
    await eventually(() => !found.some(isAlive), `the end of ${found}`, 1000);
  });

  it("that came before ends the command as well", async () => {
    const started = Date.now();
    const result = await spawned(sh("sleep 300"), { signal: AbortSignal.abort(143) });
    expect(result).toMatchObject({ exitCode: 143, timedOut: false });
    expect(Date.now() - started).toBeLessThan(5000);
  });

  it("that comes afterwards is nobody's business", async () => {
    const controller = new AbortController();
    expect(await spawned(sh("true"), { signal: controller.signal })).toMatchObject({ exitCode: 0 });
    expect(() => controller.abort(143)).not.toThrow();
  });

  it("ends a stubborn group with SIGKILL after five seconds", async () => {
    const pids = join(temporaryFolder(), "pids");
    const controller = new AbortController();
    const body = `trap '' TERM; echo $$ >>${pids}; sleep 300 & echo $! >>${pids}; while :; do sleep 1; done`;
    const running = spawned(sh(body), { signal: controller.signal });
    const found = await pidsIn(pids, 2);
    const started = Date.now();
    controller.abort(143);
    expect(await running).toMatchObject({ exitCode: 137, signal: "SIGKILL" });
    expect(Date.now() - started).toBeGreaterThan(4500);
    // An orphan that was killed stays until init has seen to it.
    await eventually(() => !found.some(isAlive), `the end of ${found}`, 1000);
  });
});

describe("a process group", () => {
  const group = `ps -o pgid= -p $$`;

  it("is the command's own, so that all of it can be ended", async () => {
    const { text } = await spawned(sh(`echo $$; ${group}`));
    const [pid, id] = text.trim().split(/\s+/);
    expect(id).toBe(pid);
  });

  it("is ours at a terminal, so that its keys reach the command", async () => {
    const { text } = await spawned(sh(`echo $$; ${group}`), { shareGroup: true });
    const [pid, id] = text.trim().split(/\s+/);
    expect(id).not.toBe(pid);
  });

  it("that is ours gets no second Ctrl-C, but a SIGTERM", async () => {
    const pids = join(temporaryFolder(), "pids");
    const body = `echo $$ >${pids}; sleep 1; exit 3`;
    const interrupted = spawned(sh(body), { shareGroup: true, signal: AbortSignal.abort(130) });
    expect(await interrupted).toMatchObject({ exitCode: 3, signal: undefined });
    expect(await spawned(sh(body), { shareGroup: true, signal: AbortSignal.abort(143) })).toMatchObject({
      exitCode: 143,
    });
  });
});

describe("a long answer", () => {
  it("of 200 MB passes by in flat memory", async () => {
    let [bytes, peak] = [0, 0];
    const before = process.memoryUsage().rss;
    const stdout = async (chunk: Buffer) => {
      bytes += chunk.length;
      peak = Math.max(peak, process.memoryUsage().rss);
      return true;
    };
    const command = { command: "head", args: ["-c", "200000000", "/dev/zero"], input: undefined };
    expect(await spawnCommand(command, { stdout, shareGroup: false })).toMatchObject({ exitCode: 0 });
    expect(bytes).toBe(200_000_000);
    expect(peak - before).toBeLessThan(80_000_000);
  });

  it("waits for a slow reader", async () => {
    const pieces = join(temporaryFolder(), "pieces");
    let taken = 0;
    const stdout = async (chunk: Buffer) => {
      taken += chunk.length;
      if (taken < 100_000) await sleep(500);
      return taken < 1_000_000;
    };
    const body = `i=0; while [ $i -lt 200 ]; do head -c 100000 /dev/zero || exit 9; echo >>${pieces}; i=$((i+1)); done`;
    const running = spawnCommand(sh(body), { stdout, shareGroup: false });
    await sleep(400);
    // What a pipe and a stream's buffer hold is all that has left the command.
    expect(existsSync(pieces) ? readFileSync(pieces).length : 0).toBeLessThan(10);
    await running;
  });

  it("ends when nobody wants more", async () => {
    let pieces = 0;
    const started = Date.now();
    const stdout = async () => ++pieces < 3;
    const command = sh("exec yes 2>/dev/null");
    expect((await spawnCommand(command, { stdout, shareGroup: false })).exitCode).toBeGreaterThan(0);
    expect(pieces).toBe(3);
    expect(Date.now() - started).toBeLessThan(5000);
  });

  it("comes as soon as it is written", async () => {
    const times: number[] = [];
    const started = Date.now();
    const stdout = async () => times.push(Date.now() - started) > 0;
    await spawnCommand(sh("echo a; sleep 1; echo b"), { stdout, shareGroup: false });
    expect(times).toHaveLength(2);
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(700);
  });
});

describe("startDetached", () => {
  it("starts a command in a group of its own and does not wait for it", async () => {
    const folder = temporaryFolder();
    const path = script(`echo "$1" >${folder}/a; sleep 1; mv ${folder}/a ${folder}/b`);
    const started = Date.now();
    startDetached([path, "x y"]);
    expect(Date.now() - started).toBeLessThan(900);
    await eventually(() => existsSync(join(folder, "b")), "the end of the command");
    expect(readFileSync(join(folder, "b"), "utf8")).toBe("x y\n");
  });

  it.each(["/nowhere/command", "arch-route-has-no-such-command", ""])(
    "keeps quiet if %j cannot start",
    async (name) => {
      startDetached([name]);
      await sleep(200);
    },
  );

  it("keeps quiet if the command fails", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "x"));
    startDetached([script(`touch ${folder}/ran; exit 9`)]);
    await eventually(() => existsSync(join(folder, "ran")), "the command");
    await sleep(100);
  });
});
