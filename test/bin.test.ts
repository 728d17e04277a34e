import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "./helpers/run-cli.js";
import { eventually, isAlive, script, userWith } from "./helpers/scripts.js";
import { folderWith } from "./io/temporary-files.js";

// The built program (npm run build) as a process of its own, with the embedded model.
const program = new URL("../bin/arch-route.js", import.meta.url).pathname;
const mini = { ...process.env, ...userWith({ model: "mini" }) };

/** A folder for a test, with the program in it as `arch-route`, and runs of shell scripts there. */
function workplace(env: NodeJS.ProcessEnv = mini, files: Readonly<Record<string, string>> = {}) {
  const cwd = folderWith(files);
  const bin = temporaryFolder();
  script(`exec ${process.execPath} ${program} "$@"`, "arch-route", bin);
  const options = { cwd, env: { ...env, PATH: `${bin}:${process.env["PATH"]}`, WORKPLACE: cwd } };
  /** The processes of this test that are still there. */
  const leftOvers = () =>
    readdirSync("/proc").filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, "utf8").includes(`WORKPLACE=${cwd}\0`);
      } catch {
        return false;
      }
    });
  /** What a shell makes of a script: its exit code and what it prints. */
  const sh = (body: string, input = "") => {
    const child = spawn("bash", ["-c", body], options);
    return new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
      const printed = { stdout: "", stderr: "" };
      child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
        printed.stdout += chunk;
      });
      child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
        printed.stderr += chunk;
      });
      child.once("close", (code) => resolve({ code, ...printed }));
      child.stdin.on("error", () => undefined);
      child.stdin.end(input);
    });
  };
  const start = (...args: string[]) => {
    const child = spawn(process.execPath, [program, ...args], { ...options, stdio: ["pipe", "pipe", "pipe"] });
    const printed = { stdout: "", stderr: "" };
    child.stdout.on("data", (chunk) => {
      printed.stdout += chunk;
    });
    child.stderr.on("data", (chunk) => {
      printed.stderr += chunk;
    });
    child.stdin.on("error", () => undefined);
    const ended = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
    return { child, printed, ended, lines: () => printed.stdout.split("\n").slice(0, -1) };
  };
  return { cwd, sh, start, leftOvers, at: (name: string) => join(cwd, name) };
}

const SEED = "How do I fix this bug in my Python code?";
const records = (count: number) =>
  Array.from({ length: count }, (_, id) => `${JSON.stringify({ id, prompt: `fix bug number ${id}` })}\n`).join("");

/** The records that an output's journal says are done. */
const journalled = (output: string) => readFileSync(`${output}.journal`, "utf8").split("\n").length - 2;

/** The processes that a process started. */
function childrenOf(pid: number): number[] {
  return spawnSync("ps", ["-o", "pid=", "--ppid", String(pid)], { encoding: "utf8" })
    .stdout.split(/\s+/)
    .filter(Boolean)
    .map(Number);
}

describe("the program", () => {
  it("prints the route of a prompt and nothing else", async () => {
    expect(await workplace().sh(`arch-route "${SEED}"`)).toEqual({ code: 0, stdout: "bug_fixing\n", stderr: "" });
  });

  it("routes JSONL, a line for each, in order", async () => {
    const { code, stdout, stderr } = await workplace().sh("arch-route", records(20));
    expect([code, stderr]).toEqual([0, ""]);
    const lines = stdout
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as { id: number; route: string });
    expect(lines.map(({ id }) => id)).toEqual(Array.from({ length: 20 }, (_, id) => id));
    expect(lines[0]?.route).toBe("bug_fixing");
  });

  it("prints help and version without a look at a broken configuration or at what is beside it", async () => {
    const tripwire = 'require("fs").writeFileSync("ran", "");\nmodule.exports = {};\n';
    const { sh, at } = workplace(mini, {
      ...{ ".arch-route.yaml": "routes: [", ".config/config.js": tripwire, ".arch-route.js": tripwire },
      ...{ "arch-route.config.js": tripwire, "package.json": '{"arch-route":{"model":7}}' },
    });
    const help = await sh("arch-route --help");
    expect([help.code, help.stderr, help.stdout.startsWith("Examples:")]).toEqual([0, "", true]);
    expect(await sh("arch-route --version")).toMatchObject({ code: 0, stderr: "" });
    expect(await sh("arch-route config")).toMatchObject({ code: 2, stdout: "" });
    expect(existsSync(at("ran"))).toBe(false);
  });

  it("never runs code that lies in the folder it is called in", async () => {
    const tripwire = 'require("fs").writeFileSync("ran", "");\nmodule.exports = { loaders: {} };\n';
    const { sh, at } = workplace(mini, { ".config/config.js": tripwire, ".config/config.cjs": tripwire });
    expect(await sh("arch-route config")).toMatchObject({ code: 0 });
    expect(existsSync(at("ran"))).toBe(false);
  });

  it("writes no escape sequence unless a terminal is there to read it", async () => {
    const { sh } = workplace({ ...mini, NO_COLOR: "1", TERM: "dumb", CI: "1" });
    for (const args of [`--explain "${SEED}"`, "--nonsense", "--help", "--format jsonl"]) {
      const { stdout, stderr } = await sh(`arch-route ${args}`, args.includes("jsonl") ? `${records(2)}oops\n` : "");
      expect(stdout + stderr).not.toBe("");
      expect(stdout + stderr).not.toContain("\u001b");
    }
  });
});

describe("at a terminal", () => {
  const pty = (body: string) => `script -qec '${body}' /dev/null </dev/null`;

  it("prints the help and ends with 2 if there is nothing to route", async () => {
    const started = Date.now();
    const python = `import os, pty, sys
pid, fd = pty.fork()
if pid == 0: os.execvp("arch-route", ["arch-route"])
text = b""
try:
  while piece := os.read(fd, 65536): text += piece
except OSError: pass
print(text.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))`;
    const { code, stdout } = await workplace(mini, { "terminal.py": python }).sh("python3 terminal.py");
    expect([code, stdout.includes('arch-route "fix this bug"')]).toEqual([2, true]);
    // Node's own start on a busy machine takes most of that.
    expect(Date.now() - started).toBeLessThan(5000);
  });

  it.each([
    ["NO_COLOR=1", false],
    ["TERM=dumb", false],
    ["TERM=xterm", true],
  ])("with %s, colours in a table: %s", async (variable, has) => {
    const { stdout } = await workplace().sh(pty(`${variable} arch-route --explain "fix this bug"`));
    expect([stdout.includes("bug_fixing"), stdout.includes("\u001b")]).toEqual([true, has]);
  });

  it("lets the command of a route see the terminal", async () => {
    const run = [["sh", "-c", "test -t 1 && echo terminal; test -t 0 || echo piped"]];
    const env = {
      ...process.env,
      ...userWith({ model: "mini", routes: [{ name: "all", description: "All", run }], other: { run } }),
    };
    const { stdout } = await workplace(env).sh(pty("arch-route -x hello"));
    expect(stdout.replaceAll("\r", "")).toContain("terminal\npiped\n");
  });
});

describe("standard input", () => {
  it("that is an empty pipe has no records", async () => {
    expect(await workplace().sh("true | arch-route")).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  it("that is closed is none: usage and 2", async () => {
    const { code, stdout, stderr } = await workplace().sh("arch-route <&-");
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).not.toBe("");
    expect(stderr).not.toMatch(/^ {4}at /m);
  });

  it("that is closed is no matter to a prompt in the arguments", async () => {
    expect(await workplace().sh(`arch-route "${SEED}" <&-`)).toEqual({ code: 0, stdout: "bug_fixing\n", stderr: "" });
  });
});

describe("a reader that goes away", () => {
  it("ends a batch early, with 0, without a stack or a process left behind", async () => {
    const { sh, at, leftOvers } = workplace(mini, { "in.jsonl": records(3000) });
    const all = Date.now();
    const { code, stdout, stderr } = await sh(
      "(arch-route -i in.jsonl; echo $? >code) | head -1; for i in $(seq 200); do [ -s code ] && break; sleep 0.1; done",
    );
    expect([code, stdout.split("\n").length, stderr]).toEqual([0, 2, ""]);
    expect(readFileSync(at("code"), "utf8")).toBe("0\n");
    expect(leftOvers()).toEqual([]);
    // All 3,000 take longer than that.
    expect(Date.now() - all).toBeLessThan(12_000);
  });

  it("ends a command as it would without us", async () => {
    const run = [["sh", "-c", "yes; echo $? >code"]];
    const env = {
      ...process.env,
      ...userWith({ model: "mini", routes: [{ name: "all", description: "All", run }], other: { run } }),
    };
    const { code, stdout } = await workplace(env).sh("arch-route -x hello | head -1");
    expect([code, stdout]).toEqual([0, "y\n"]);
  });
});

describe("an output that cannot be written", () => {
  it.each([
    ["a full device", `arch-route "${SEED}" >/dev/full`, ""],
    ["a full device, for JSONL", "arch-route >/dev/full", records(5)],
    ["a full device by name", `arch-route -o /dev/full "${SEED}"`, ""],
    ["a file-size limit", "ulimit -f 1; arch-route -o out", records(200)],
    ["a file-size limit on standard output", "ulimit -f 1; arch-route >out", records(200)],
    ["a folder that is not there", `arch-route -o nowhere/out "${SEED}"`, ""],
  ])("is 6 and one line: %s", async (_, body, input) => {
    const { sh, leftOvers } = workplace();
    const { code, stdout, stderr } = await sh(body, input);
    expect([code, stdout]).toEqual([6, ""]);
    expect(stderr).toMatch(/^arch-route: [^\n]+\n$/);
    expect(leftOvers()).toEqual([]);
  });

  it("is no matter on standard error", async () => {
    expect(await workplace().sh(`arch-route "${SEED}" 2>&-`)).toMatchObject({ code: 0, stdout: "bug_fixing\n" });
    expect(await workplace().sh("arch-route --nonsense 2>&-")).toMatchObject({ code: 2 });
    expect(await workplace().sh("arch-route --nonsense 2>/dev/full")).toMatchObject({ code: 2 });
  });
});

describe("a long result", () => {
  it("arrives whole through a pipe, although the process ends", async () => {
    const id = "x".repeat(1_000_000);
    const { sh, at } = workplace(mini, { "in.json": JSON.stringify({ id, prompt: "fix this bug" }) });
    const { code, stdout } = await sh("set -o pipefail; arch-route -i in.json | (sleep 1; tee out | wc -c)");
    expect([code, Number(stdout)]).toEqual([0, statSync(at("out")).size]);
    expect(JSON.parse(readFileSync(at("out"), "utf8"))).toMatchObject({ id, route: "bug_fixing" });
  });
});

describe("a signal in the middle of a batch", () => {
  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)(
    "%s ends it within three seconds with %i, whole lines only, and nothing is left",
    async (signal, exitCode) => {
      const { start, at } = workplace(mini, { "in.jsonl": records(20_000) });
      const { child, printed, ended } = start("-i", at("in.jsonl"), "-o", at("out"));
      await eventually(() => existsSync(at("out")) && statSync(at("out")).size > 2000, "the first results", 30_000);
      const children = childrenOf(child.pid ?? 0);
      expect(children.length).toBeGreaterThan(0);
      const started = Date.now();
      child.kill(signal);
      expect(await ended).toBe(exitCode);
      expect(Date.now() - started).toBeLessThan(3000);
      const text = readFileSync(at("out"), "utf8");
      expect(text.endsWith("\n")).toBe(true);
      const ids = text
        .split("\n")
        .slice(0, -1)
        .map((line) => (JSON.parse(line) as { id: number }).id);
      expect(ids).toEqual(Array.from({ length: ids.length }, (_, id) => id));
      expect(ids.length).toBeLessThan(20_000);
      const command = `arch-route -i ${at("in.jsonl")} -o ${at("out")} --resume`;
      expect(printed.stderr).toBe(`arch-route: interrupted after ${ids.length} records; go on with ${command}\n`);
      expect(journalled(at("out"))).toBe(ids.length);
      await eventually(() => !children.some(isAlive), "the end of the worker", 2000);
    },
  );

  it("ends the commands under way with it", async () => {
    const pids = join(temporaryFolder(), "pids");
    const run = [["sh", "-c", `echo $$ >>${pids}; sleep 300 & echo $! >>${pids}; wait`]];
    const env = {
      ...process.env,
      ...userWith({ model: "mini", routes: [{ name: "all", description: "All", run }], other: { run } }),
    };
    const { start, at } = workplace(env, { "in.jsonl": records(50) });
    const { child, ended } = start("-x", "--jobs", "2", "-i", at("in.jsonl"));
    const found = () => (existsSync(pids) ? readFileSync(pids, "utf8").trim().split("\n").map(Number) : []);
    await eventually(() => found().length >= 4, "two commands", 30_000);
    child.kill("SIGTERM");
    expect(await ended).toBe(143);
    await eventually(() => !found().some(isAlive), "the end of the commands", 7000);
  });
});

describe("an output that is gone on with", () => {
  /** Names and probabilities of a batch, as an unbroken run prints them. */
  const args = ["--plain", "--top", "3"];

  it("is refused while another process writes it, by that one's id, and taken over when it was killed", async () => {
    const { start, at } = workplace(mini, { "in.jsonl": records(150) });
    const batch = ["-i", at("in.jsonl"), ...args, "-o"];
    const first = start(...batch, at("out"));
    await eventually(() => existsSync(at("out")) && statSync(at("out")).size > 200, "the first results", 30_000);
    // So that it is there for as long as it is needed.
    first.child.kill("SIGSTOP");
    const second = start(...batch, at("out"), "--resume");
    expect([await second.ended, second.printed.stdout]).toEqual([2, ""]);
    expect(second.printed.stderr).toContain(`process ${first.child.pid} is writing it`);
    first.child.kill("SIGKILL");
    await first.ended;
    expect(existsSync(at("out.journal.lock"))).toBe(true);
    const third = start(...batch, at("out"), "--resume");
    expect(await third.ended).toBe(0);
    expect(readFileSync(at("out"), "utf8").match(/^\w+\t.*$/gm)).toHaveLength(150);
    expect(existsSync(at("out.journal.lock"))).toBe(false);
  });

  it("ends within three seconds of Ctrl-C at any moment, and in the file of an unbroken run", async () => {
    const { start, at } = workplace(mini, { "in.jsonl": records(150) });
    const batch = ["-i", at("in.jsonl"), ...args, "-o"];
    for (let round = 0; round < 3; round++) {
      const { child, ended, printed } = start(...batch, at("out"), "--resume");
      await sleep(Math.random() * 1500);
      const began = Date.now();
      child.kill("SIGINT");
      const code = await ended;
      expect(Date.now() - began).toBeLessThan(3000);
      // Null: before there was anything to stop; 0: after.
      expect([130, null, 0]).toContain(code);
      if (code === 130) expect(printed.stderr).toContain("; go on with arch-route -i ");
    }
    expect(await start(...batch, at("out"), "--resume").ended).toBe(0);
    expect(await start(...batch, at("reference")).ended).toBe(0);
    expect(readFileSync(at("out"), "utf8")).toBe(readFileSync(at("reference"), "utf8"));
  });

  it("has a command run again that was done when its record was not, with the same ARCH_ROUTE_ID", async () => {
    // The second command does its work, and then the batch is killed before it can write that down.
    const body =
      'read -r text; echo "$text $ARCH_ROUTE_ID" >>log; case $text in *2) mkdir once && kill -9 $PPID;; esac';
    const run = [["sh", "-c", `cd "$WORKPLACE"; ${body}; true`]];
    const env = {
      ...process.env,
      ...userWith({ model: "mini", routes: [{ name: "all", description: "All", run }], other: { run } }),
    };
    const lines = [1, 2, 3].map((id) => `${JSON.stringify({ id, prompt: `fix bug ${id}` })}\n`);
    const { start, at } = workplace(env, { "in.jsonl": lines.join("") });
    const batch = ["-x", "-i", at("in.jsonl"), "-o", at("out")];
    expect(await start(...batch).ended).toBeNull();
    expect(await start(...batch, "--resume").ended).toBe(0);
    const log = readFileSync(at("log"), "utf8").split("\n").slice(0, -1);
    expect(log.map((line) => line.split(" ")[2])).toEqual(["1", "2", "2", "3"]);
    expect([log[1] === log[2], new Set(log).size]).toEqual([true, 3]);
    const results = readFileSync(at("out"), "utf8").split("\n").slice(0, -1);
    expect(results.map((line) => (JSON.parse(line) as { id: number }).id)).toEqual([1, 2, 3]);
  });

  it("is whole after a file-size limit", async () => {
    const { sh, at } = workplace(mini, { "in.jsonl": records(60) });
    const batch = `arch-route -i in.jsonl ${args.join(" ")} --resume -o`;
    const { code, stderr } = await sh(`ulimit -f 3; ${batch} out`);
    expect([code, stderr]).toEqual([6, expect.stringMatching(/^arch-route: out(\.journal)?: [^\n]+--resume\n$/)]);
    expect(await sh(`${batch} out`)).toMatchObject({ code: 0 });
    await sh(`${batch} reference`);
    expect(readFileSync(at("out"), "utf8")).toBe(readFileSync(at("reference"), "utf8"));
  });
});

describe("a model process that dies in a batch", () => {
  it.each(["SIGKILL", "SIGABRT"] as const)("by %s costs one record; the rest is done, exit 4", async (signal) => {
    const { start } = workplace();
    const { child, printed, ended, lines } = start();
    child.stdin.write(records(3));
    await eventually(() => lines().length === 3, "three results", 30_000);
    const [worker = 0] = childrenOf(child.pid ?? 0);
    process.kill(worker, signal);
    await eventually(() => !isAlive(worker), "the end of the worker", 5000);
    child.stdin.end(records(6).split("\n").slice(3).join("\n"));
    expect(await ended).toBe(4);
    const found = lines().map(
      (line) => JSON.parse(line) as { route?: string; error?: { code: string; message: string } },
    );
    expect(found).toHaveLength(6);
    const failed = found.filter(({ error }) => error);
    expect(failed).toHaveLength(1);
    expect(failed[0]?.error).toMatchObject({
      code: "E_MODEL_DIED",
      message: expect.stringContaining(`model process died (${signal})`),
    });
    expect(printed.stderr).toBe("arch-route: 1 of 6 records failed\n");
  });
});

describe("a machine without folders for us", () => {
  it.each<[string, NodeJS.ProcessEnv]>([
    [
      "without HOME",
      { HOME: undefined, XDG_CONFIG_HOME: undefined, XDG_STATE_HOME: undefined, XDG_CACHE_HOME: undefined },
    ],
    [
      "with a HOME that is not there",
      { HOME: "/dev/null/home", XDG_CONFIG_HOME: undefined, XDG_STATE_HOME: undefined, XDG_CACHE_HOME: undefined },
    ],
    [
      "with XDG folders that cannot be made",
      { XDG_CONFIG_HOME: "/sys/x", XDG_STATE_HOME: "/sys/x", XDG_CACHE_HOME: "/sys/x" },
    ],
    ["with XDG folders that are files", { XDG_CONFIG_HOME: program, XDG_STATE_HOME: program, XDG_CACHE_HOME: program }],
    ["with relative XDG folders", { XDG_CONFIG_HOME: "c", XDG_STATE_HOME: "s", XDG_CACHE_HOME: "k" }],
  ])("still routes, %s", async (_, given) => {
    const env: NodeJS.ProcessEnv = { ...process.env, ...given };
    for (const [key, value] of Object.entries(env)) if (value === undefined) delete env[key];
    const { sh, cwd } = workplace({ ...env, ARCH_ROUTE_MODEL: "mini" });
    expect(await sh(`arch-route "${SEED}"`)).toMatchObject({ code: 0, stdout: "bug_fixing\n" });
    expect(readdirSync(cwd)).toEqual([]);
  });
});

describe("-x", () => {
  const user = {
    model: "mini",
    routes: [{ name: "all", description: "All", run: [["cat"]] }],
    other: { run: [["cat"]] },
  };
  const env = { ...process.env, ...userWith(user) };

  it("is as if the command had been called itself", async () => {
    expect(await workplace(env).sh("printf 'a b' | arch-route -x")).toEqual({ code: 0, stdout: "a b", stderr: "" });
  });

  it("writes where --output says", async () => {
    const { sh, at } = workplace(env);
    expect(await sh("arch-route -x -o out hello")).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(readFileSync(at("out"), "utf8")).toBe("hello");
  });

  it("does not hold back what the command writes bit by bit", async () => {
    const run = [["sh", "-c", "echo first; sleep 1; echo second"]];
    const bitByBit = { ...user, routes: [{ name: "all", description: "All", run }], other: { run } };
    const { stdout } = await workplace({ ...process.env, ...userWith(bitByBit) }).sh(
      "arch-route -x hello | while read -r line; do echo $line $(date +%s%N); done",
    );
    const [first = 0, second = 0] = [...stdout.matchAll(/ (\d+)$/gm)].map(([, time]) => Number(time) / 1e6);
    expect(second - first).toBeGreaterThan(700);
  });
});
