import { EventEmitter } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { createFakeEngine } from "../helpers/fake-engine.js";
import { type CliOptions, runCli, temporaryFolder } from "../helpers/run-cli.js";
import { eventually, isAlive, pidsIn, script, userWith } from "../helpers/scripts.js";

type Argv = readonly string[];

const CAT = ["cat"];
const exits = (code: number): Argv => ["sh", "-c", `exit ${code}`];
const says = (text: string, code = 0): Argv => ["sh", "-c", `printf %s "${text}"; exit ${code}`];
const alpha = (given: object) => ({ routes: [{ name: "alpha", description: "A", ...given }] });
const jsonl = (...records: unknown[]) => records.map((record) => `${JSON.stringify(record)}\n`).join("");

/** Runs the program for a user with this configuration. */
const dispatch = (config: object, args: Argv, options: CliOptions = {}) =>
  runCli(args, { ...options, env: { ...userWith(config), ...options.env } });

interface Printed {
  readonly id?: unknown;
  readonly route?: string;
  readonly exec?: {
    readonly command?: Argv;
    readonly exit_code?: number;
    readonly signal?: string;
    readonly error?: { readonly code: string; readonly message: string };
  };
  readonly output?: string;
  readonly output_cut?: boolean;
  readonly error?: { readonly code: string };
}
const parsed = (stdout: string) =>
  stdout
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Printed);

describe("-x", () => {
  it.each<[string, object, string, string]>([
    ["the route's command", alpha({ run: [CAT] }), "an alpha", "an alpha"],
    ["the first of its commands", alpha({ run: [says("first"), says("second")] }), "alpha", "first"],
    [
      "the common command with the model",
      { ...alpha({ model: "m" }), command: ["echo", "run", "{model}"] },
      "alpha",
      "run m\n",
    ],
    [
      "the common command with the route",
      { ...alpha({ model: "m" }), command: ["echo", "{route}"] },
      "alpha",
      "alpha\n",
    ],
    [
      "its own rather than the common command",
      { ...alpha({ model: "m", run: [CAT] }), command: ["echo", "no"] },
      "alpha",
      "alpha",
    ],
    [
      "other's command where no route fits",
      { ...alpha({ run: [says("no")] }), other: { run: [CAT] } },
      "hello",
      "hello",
    ],
    [
      "other's command where it is unsure",
      { ...alpha({ run: [says("no")] }), other: { run: [CAT] }, min_confidence: 0.6 },
      "alpha=0.5",
      "alpha=0.5",
    ],
    [
      "the common command for other's model",
      { ...alpha({}), other: { model: "small" }, command: ["echo", "{model}", "{route}"] },
      "hello",
      "small other\n",
    ],
  ])("runs %s", async (_, config, prompt, stdout) => {
    expect(await dispatch(config, ["-x", prompt])).toEqual({ code: 0, stdout, stderr: "" });
  });

  it.each([
    ["a route that has none", alpha({}), "alpha", "route alpha: there is no command for it"],
    ["a route with a model but no common command", alpha({ model: "m" }), "alpha", "route alpha"],
    ["a route beside a common command without a model", { ...alpha({}), command: CAT }, "alpha", "route alpha"],
    ["other", alpha({ run: [CAT] }), "hello", "other: there is no command for it"],
    [
      "the unsure",
      { ...alpha({ run: [CAT] }), min_confidence: 0.6 },
      "alpha=0.5",
      "unsure: there is no command for it",
    ],
  ])("has 2 and one line to say if there is no command for %s", async (_, config, prompt, message) => {
    for (const option of ["-x", "--dry-run"]) {
      const { code, stdout, stderr } = await dispatch(config, [option, prompt]);
      expect([code, stdout]).toEqual([2, ""]);
      expect(stderr).toMatch(/^arch-route: [^\n]+; give it run, [^\n]+\n$/);
      expect(stderr).toContain(message);
    }
  });

  it.each([0, 1, 7, 100, 255])("ends with the command's own exit code, %i", async (code) => {
    expect(await dispatch(alpha({ run: [exits(code)] }), ["-x", "alpha"])).toEqual({ code, stdout: "", stderr: "" });
  });

  it.each([
    ["TERM", 143],
    ["KILL", 137],
    ["SEGV", 139],
  ])("ends with 128 + the signal that ended the command, SIG%s: %i", async (signal, code) => {
    const { code: found } = await dispatch(alpha({ run: [["sh", "-c", `kill -${signal} $$`]] }), ["-x", "alpha"]);
    expect(found).toBe(code);
  });

  it.each([
    [127, "not found", () => "/nowhere/command"],
    [127, "not found", () => "arch-route-has-no-such-command"],
    [126, "not executable", () => temporaryFolder()],
  ])("ends with %i if the command is %s, and says so in one line", async (code, what, name) => {
    const command = name();
    const result = await dispatch(alpha({ run: [[command, "a b"]] }), ["-x", "alpha"]);
    expect(result).toEqual({ code, stdout: "", stderr: `arch-route: ${command} 'a b': ${what}\n` });
  });

  it("ends with 124 when the command is over its time limit, from the flag or the configuration", async () => {
    const config = alpha({ run: [["sh", "-c", "echo begun; sleep 300"]] });
    const expected = { code: 124, stdout: "begun\n", stderr: expect.stringContaining(": over its time limit\n") };
    expect(await dispatch(config, ["-x", "--timeout", "0.3", "alpha"])).toEqual(expected);
    expect(await dispatch({ ...config, timeout: 0.3 }, ["-x", "alpha"])).toEqual(expected);
  });

  it("passes the command's own output unchanged, whatever a terminal makes of it", async () => {
    const config = alpha({ run: [["printf", "\\033]52;c;eA==\\007\\377\\303\\n\\r"]] });
    const { stdout } = await dispatch(config, ["-x", "alpha"]);
    expect(stdout).toBe("\u001b]52;c;eA==\u0007\ufffd\ufffd\n\r");
  });

  it("writes into a file if one is named", async () => {
    const file = join(temporaryFolder(), "answer");
    expect(await dispatch(alpha({ run: [CAT] }), ["-x", "-o", file, "an alpha"])).toMatchObject({
      code: 0,
      stdout: "",
    });
    expect(readFileSync(file, "utf8")).toBe("an alpha");
  });

  it("keeps the output in the record with --json, and the exit code there", async () => {
    const { code, stdout } = await dispatch(alpha({ run: [says("hi", 3)] }), ["-x", "--json", "alpha"]);
    expect(code).toBe(8);
    expect(parsed(stdout)).toMatchObject([{ route: "alpha", exec: { exit_code: 3 }, output: "hi" }]);
  });

  it.each(["--plain", "--explain"])("does not go with %s", async (option) => {
    expect(await dispatch(alpha({ run: [CAT] }), ["-x", option, "alpha"])).toMatchObject({ code: 2, stdout: "" });
  });

  it("runs nothing for a record that cannot be read", async () => {
    const touched = join(temporaryFolder(), "ran");
    const config = { ...alpha({ run: [["touch", touched]] }), other: { run: [["touch", touched]] } };
    expect((await dispatch(config, ["-x", "--format", "json"], { stdin: "oops" })).code).toBe(3);
    expect((await dispatch(config, ["-x"], { stdin: Buffer.from([0xff]) })).code).toBe(3);
    expect(await dispatch(config, ["-x"], { stdin: "" })).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(existsSync(touched)).toBe(false);
  });

  it("finds commands on PATH", async () => {
    const path = script('echo "stand-in $*"; cat', "arch-route-stand-in");
    vi.stubEnv("PATH", `${path.replace(/\/[^/]*$/, "")}:${process.env["PATH"]}`);
    try {
      const config = { ...alpha({ model: "q" }), command: ["arch-route-stand-in", "run", "{model}"] };
      expect((await dispatch(config, ["-x", "alpha"])).stdout).toBe("stand-in run q\nalpha");
    } finally {
      vi.unstubAllEnvs();
    }
  });
});

describe("what a command finds on its standard input", () => {
  const messages = [
    { role: "user", content: "one" },
    { role: "assistant", content: "two" },
    { role: "user", content: "an alpha\n" },
  ];
  const stdin = JSON.stringify({ messages: [{ role: "system", content: "no" }, ...messages] });

  it.each([
    [undefined, "an alpha\n"],
    ["prompt", "an alpha\n"],
    ["transcript", "User: one\n\nAssistant: two\n\nUser: an alpha\n\n"],
    ["json", `${JSON.stringify({ messages })}\n`],
  ])("is, with stdin: %s, %j", async (mode, expected) => {
    const config = { ...alpha({ run: [CAT] }), ...(mode && { stdin: mode }) };
    expect(await dispatch(config, ["-x"], { stdin })).toEqual({ code: 0, stdout: expected, stderr: "" });
  });

  it("is what was piped, then what was said", async () => {
    const { stdout } = await dispatch(alpha({ run: [CAT] }), ["-x", "alpha?"], { stdin: "a diff\n" });
    expect(stdout).toBe("a diff\n\nalpha?");
  });

  it("is all of the last message, whatever the history that decides", async () => {
    const config = { ...alpha({ run: [CAT] }), stdin: "transcript" };
    expect((await dispatch(config, ["-x", "--history", "last"], { stdin })).stdout).toContain("User: one");
  });

  it.each(["prompt", "transcript"])("has U+FFFD for half a character, with a warning, as %s", async (mode) => {
    const config = { ...alpha({ run: [CAT] }), stdin: mode };
    const { code, stdout, stderr } = await dispatch(config, ["-x"], { stdin: '{"prompt":"alpha \\ud800!"}' });
    expect([code, stdout.includes("alpha \ufffd!")]).toEqual([0, true]);
    expect(stderr).toBe("arch-route: the prompt has half a character: the command gets U+FFFD in its place\n");
  });

  it("has an escape for half a character as JSON, and whole characters without a warning", async () => {
    const config = { ...alpha({ run: [CAT] }), stdin: "json" };
    const half = await dispatch(config, ["-x"], { stdin: '{"prompt":"alpha \\ud800!"}' });
    expect(half).toMatchObject({ stderr: "", stdout: expect.stringContaining("alpha \\ud800!") });
    const whole = await dispatch(alpha({ run: [CAT] }), ["-x"], { stdin: '{"prompt":"alpha \\ud83d\\ude42"}' });
    expect(whole).toEqual({ code: 0, stdout: "alpha 🙂", stderr: "" });
  });

  it("warns of half a character in an argument as well", async () => {
    const config = alpha({ run: [["echo", "--", "{prompt}"]] });
    const { stdout, stderr } = await dispatch(config, ["-x"], { stdin: '{"prompt":"alpha \\udc00!"}' });
    expect(stdout).toBe("-- alpha \ufffd!\n");
    expect(stderr).toContain("half a character");
  });

  it.each([
    ["ends at once", ["true"], 0],
    ["closes it", ["sh", "-c", "exec 0<&-; sleep 0.2; exit 5"], 5],
  ])("may be 64 MB for a command that %s", async (_, command, code) => {
    const stdin = `alpha ${"x".repeat(64 * 1024 * 1024)}`;
    const args = ["-x", "--format", "text", "--max-record-bytes", "100000000"];
    expect(await dispatch(alpha({ run: [command] }), args, { stdin })).toEqual({ code, stdout: "", stderr: "" });
  });
});

describe("a chain of commands", () => {
  it.each<[string, Argv]>([
    ["not found", ["/nowhere/command"]],
    ["not executable", ["/"]],
    ["exit code 3", exits(3)],
    ["ended by SIGKILL", ["sh", "-c", "kill -KILL $$"]],
  ])("goes on after one that is %s, and says so", async (what, command) => {
    const { code, stdout, stderr } = await dispatch(alpha({ run: [command, CAT] }), ["-x", "alpha"]);
    expect([code, stdout]).toEqual([0, "alpha"]);
    expect(stderr).toMatch(/^arch-route: [^\n]+: trying cat\n$/);
    expect(stderr).toContain(`: ${what}: trying cat`);
  });

  it("goes on after one that is over its time limit without a word", async () => {
    const config = alpha({ run: [["sleep", "300"], CAT] });
    const { code, stdout, stderr } = await dispatch(config, ["-x", "--timeout", "0.3", "alpha"]);
    expect([code, stdout]).toEqual([0, "alpha"]);
    expect(stderr).toBe("arch-route: sleep 300: over its time limit: trying cat\n");
  });

  it.each<[string, Argv, Argv, number]>([
    ["failed", says("half an answer", 3), [], 3],
    ["was over its time limit", ["sh", "-c", "printf 'half an answer'; sleep 300"], ["--timeout", "0.5"], 124],
  ])("stops after one that %s once it had begun to answer, and says so", async (_, command, options, exitCode) => {
    const config = alpha({ run: [command, ["touch", "/nowhere/x"], CAT] });
    const { code, stdout, stderr } = await dispatch(config, ["-x", ...options, "alpha"]);
    expect([code, stdout]).toEqual([exitCode, "half an answer"]);
    expect(stderr).toMatch(/^arch-route: [^\n]+, after it began to answer: the next command is not tried\n$/);
  });

  it("ends with the last one's failure", async () => {
    const { code, stderr } = await dispatch(alpha({ run: [exits(3), ["/nowhere/a"], exits(9)] }), ["-x", "alpha"]);
    expect(code).toBe(9);
    expect(stderr.split("\n")).toHaveLength(3);
  });

  it("does not go on after a success without a word", async () => {
    expect(await dispatch(alpha({ run: [exits(0), CAT] }), ["-x", "alpha"])).toEqual({
      code: 0,
      stdout: "",
      stderr: "",
    });
  });

  it("is the chosen route's, never another's", async () => {
    const touched = join(temporaryFolder(), "ran");
    const config = {
      routes: [
        { name: "alpha", description: "A", run: [exits(3), exits(4)] },
        { name: "beta", description: "B", run: [["touch", touched]] },
      ],
      other: { run: [["touch", touched]] },
    };
    expect((await dispatch(config, ["-x", "alpha"])).code).toBe(4);
    expect(existsSync(touched)).toBe(false);
  });

  it("gives each the whole prompt", async () => {
    const config = alpha({ run: [["sh", "-c", "cat >/dev/null; exit 1"], CAT] });
    expect((await dispatch(config, ["-x", "all of alpha"])).stdout).toBe("all of alpha");
  });
});

describe("--dry-run", () => {
  it("prints the exact commands, one a line, as a shell would have to be given them, and runs nothing", async () => {
    const touched = join(temporaryFolder(), "ran");
    const run = [
      ["touch", touched],
      ["ollama", "run", "a b", "it's", "a\nb", "\u001b[31m", ""],
    ];
    for (const args of [["--dry-run"], ["-x", "--dry-run"]]) {
      expect(await dispatch(alpha({ run }), [...args, "alpha"])).toEqual({
        code: 0,
        stdout: `touch ${touched}\nollama run 'a b' 'it'\\''s' $'a\\u000ab' $'\\u001b[31m' ''\n`,
        stderr: "",
      });
    }
    expect(existsSync(touched)).toBe(false);
  });

  it("shows the prompt where it is an argument", async () => {
    const config = alpha({ run: [["echo", "--", "{prompt}"]] });
    expect((await dispatch(config, ["--dry-run", "alpha $(touch x)"])).stdout).toBe("echo -- 'alpha $(touch x)'\n");
  });

  it("runs nothing in a batch, either", async () => {
    const touched = join(temporaryFolder(), "ran");
    const { code, stdout } = await dispatch(alpha({ run: [["touch", touched]] }), ["-x", "--dry-run"], {
      stdin: jsonl({ prompt: "alpha" }, { prompt: "alpha" }),
    });
    expect(code).toBe(0);
    expect(parsed(stdout).map(({ route, exec }) => [route, exec])).toEqual([
      ["alpha", undefined],
      ["alpha", undefined],
    ]);
    expect(existsSync(touched)).toBe(false);
  });
});

describe("a signal while the command runs", () => {
  it.each([
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ])("ends it and us, %s", async (name, code) => {
    const signals = new EventEmitter();
    const pids = join(temporaryFolder(), "pids");
    const command = ["sh", "-c", `echo $$ >>${pids}; sleep 300 & echo $! >>${pids}; wait`];
    const running = dispatch(alpha({ run: [command, CAT] }), ["-x", "alpha"], { signals });
    const found = await pidsIn(pids, 2);
    signals.emit(name);
    expect(await running).toMatchObject({ code, stdout: "" });
    await eventually(() => !found.some(isAlive), "the end of the command", 1000);
    expect(signals.eventNames()).toEqual([]);
  });
});

describe("JSONL with -x", () => {
  const records = (count: number) =>
    jsonl(...Array.from({ length: count }, (_, id) => ({ id, prompt: `alpha ${id}` })));

  it("has each record's output, exit code and signal, and the route with them", async () => {
    const command = script(
      'read -r word rest; case $rest in 1) exit 7;; 2) kill -KILL $$;; esac; echo "got $word $rest"',
    );
    const { code, stdout, stderr } = await dispatch(alpha({ run: [[command]] }), ["-x"], { stdin: records(4) });
    expect([code, stderr]).toEqual([8, ""]);
    expect(parsed(stdout).map(({ id, route, exec, output }) => [id, route, exec, output])).toEqual([
      [0, "alpha", { command: [command], exit_code: 0 }, "got alpha 0\n"],
      [1, "alpha", { command: [command], exit_code: 7 }, ""],
      [2, "alpha", { command: [command], exit_code: 137, signal: "SIGKILL" }, ""],
      [3, "alpha", { command: [command], exit_code: 0 }, "got alpha 3\n"],
    ]);
  });

  it.each([
    ["missing", "/nowhere/command", 127],
    ["not executable", "/", 126],
  ])("still has the route of a record whose command is %s", async (_, command, exitCode) => {
    const { code, stdout } = await dispatch(alpha({ run: [[command]] }), ["-x"], { stdin: records(2) });
    expect(code).toBe(8);
    expect(parsed(stdout)).toMatchObject([
      { route: "alpha", exec: { exit_code: exitCode }, output: "" },
      { route: "alpha", exec: { exit_code: exitCode }, output: "" },
    ]);
  });

  it("has an error in a record for which there is no command, and does the others", async () => {
    const stdin = jsonl({ prompt: "hello" }, { prompt: "alpha" });
    const { code, stdout } = await dispatch(alpha({ run: [CAT] }), ["-x"], { stdin });
    expect(code).toBe(8);
    expect(parsed(stdout)).toMatchObject([
      { route: "other", exec: { error: { code: "E_CONFIG", message: expect.stringContaining("no command") } } },
      { route: "alpha", exec: { exit_code: 0 }, output: "alpha" },
    ]);
  });

  it("has an error in a record whose prompt no argument can hold", async () => {
    const long = `alpha ${"x".repeat(200_000)}`;
    const stdin = jsonl({ prompt: "alpha \0" }, { prompt: long }, { prompt: "alpha" });
    const { code, stdout } = await dispatch(alpha({ run: [["echo", "--", "{prompt}"]] }), ["-x"], { stdin });
    expect([code, ...parsed(stdout).map(({ route, exec, output }) => [route, exec?.error?.code ?? output])]).toEqual([
      8,
      ["alpha", "E_NUL"],
      ["alpha", "E_TOO_LONG"],
      ["alpha", "-- alpha\n"],
    ]);
  });

  it("puts what cannot be read before a failed command", async () => {
    const { code, stdout } = await dispatch(alpha({ run: [exits(1)] }), ["-x"], { stdin: `${records(2)}oops\n` });
    expect(code).toBe(3);
    expect(parsed(stdout)).toMatchObject([
      { exec: { exit_code: 1 } },
      { exec: { exit_code: 1 } },
      { error: { code: "E_JSON" } },
    ]);
  });

  it.each([
    ["under the cap", 9, "123456789", undefined],
    ["at the cap", 10, "123456789\n".slice(0, 10), undefined],
    ["over the cap", 25, "123456789\n", true],
  ])("keeps the output %s and never cuts it in silence", async (_, length, output, cut) => {
    const command = ["sh", "-c", `yes 123456789 | head -c ${length}`];
    const { stdout } = await dispatch(alpha({ run: [command] }), ["-x", "--max-output-bytes", "10"], {
      stdin: records(2),
    });
    expect(parsed(stdout).map((record) => [record.output, record.output_cut])).toEqual([
      [output, cut],
      [output, cut],
    ]);
  });

  it("keeps a megabyte if nothing else is said, of however much", async () => {
    const command = ["sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x"];
    const { code, stdout } = await dispatch(alpha({ run: [command] }), ["-x"], { stdin: records(1) + records(1) });
    expect(code).toBe(0);
    expect(parsed(stdout)[0]).toMatchObject({
      output: "x".repeat(1024 * 1024),
      output_cut: true,
      exec: { exit_code: 0 },
    });
  });

  it("puts U+FFFD for what is cut in two or no UTF-8", async () => {
    const { stdout } = await dispatch(alpha({ run: [["printf", "a€\\377"]] }), ["-x", "--max-output-bytes", "2"], {
      stdin: records(2),
    });
    expect(parsed(stdout)[0]).toMatchObject({ output: "a\ufffd", output_cut: true });
  });

  it("uses the chain of each record by itself", async () => {
    const command = ["sh", "-c", "grep -q 1 && exit 3; echo first"];
    const { code, stdout } = await dispatch(alpha({ run: [command, says("second")] }), ["-x"], { stdin: records(3) });
    expect(code).toBe(0);
    expect(parsed(stdout).map(({ output }) => output)).toEqual(["first\n", "second", "first\n"]);
  });

  it("limits the time of each", async () => {
    const command = ["sh", "-c", "grep -q 1 && sleep 300; echo done"];
    const args = ["-x", "--timeout", "1", "--jobs", "3"];
    const { code, stdout } = await dispatch(alpha({ run: [command] }), args, { stdin: records(3) });
    expect(code).toBe(8);
    expect(parsed(stdout).map(({ exec }) => exec?.exit_code)).toEqual([0, 124, 0]);
  });

  it.each([1, 4])("runs up to %i at once, never more, and keeps the order", async (jobs) => {
    const log = join(temporaryFolder(), "log");
    // A command takes 50 to 350 ms, another time in each run.
    const command = script(
      `read -r _ id; echo + >>${log}; sleep 0.$(($(od -An -N1 -tu1 /dev/urandom) % 7))5; echo - >>${log}; echo $id`,
    );
    const { code, stdout } = await dispatch(alpha({ run: [[command]] }), ["-x", "--jobs", String(jobs)], {
      stdin: records(12),
    });
    expect(code).toBe(0);
    expect(parsed(stdout).map(({ id, output }) => [id, output])).toEqual(
      Array.from({ length: 12 }, (_, id) => [id, `${id}\n`]),
    );
    let [running, most] = [0, 0];
    for (const step of readFileSync(log, "utf8").split("\n").slice(0, -1)) {
      running += step === "+" ? 1 : -1;
      most = Math.max(most, running);
    }
    expect(most).toBe(jobs);
  });

  it("gives a command the same ARCH_ROUTE_ID in every run, and every record another", async () => {
    const ids = async (stdin: string) => {
      const { stdout } = await dispatch(alpha({ run: [["sh", "-c", 'echo "$ARCH_ROUTE_ID"']] }), ["-x"], { stdin });
      return parsed(stdout).map(({ output }) => output?.trim());
    };
    const first = await ids(records(3));
    expect(first[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(new Set(first).size).toBe(3);
    expect(await ids(records(3))).toEqual(first);
    expect((await ids(records(3).replace("alpha 1", "alpha 9")))[1]).not.toBe(first[1]);
    // The same words on another line are another record.
    expect(new Set(await ids(jsonl({ prompt: "alpha" }, { prompt: "alpha" }))).size).toBe(2);
  });

  it("does not show the prompt to the process list", async () => {
    const { stdout } = await dispatch(alpha({ run: [["sh", "-c", "ps -ef | grep -c '[s]ecret alpha'"]] }), ["-x"], {
      stdin: jsonl({ prompt: "secret alpha" }, { prompt: "secret alpha" }),
    });
    expect(parsed(stdout)[0]?.output).toBe("0\n");
  });
});

describe("--halt", () => {
  const failing = alpha({ run: [["sh", "-c", "grep -qv ok"]] });
  const record = (id: number, prompt = "alpha") => ({ id, prompt });

  it.each([
    ["soon,fail=1", 3],
    ["soon,fail=2", 5],
    ["now,fail=1", 3],
    ["soon,fail=3", 6],
  ])("%s takes no more records after that many failures: %i are done", async (rule, done) => {
    const stdin = jsonl(...[1, 2, 0, 4, 0, 6].map((id) => record(id, id === 0 ? "alpha ok" : "alpha")));
    const { code, stdout } = await dispatch(failing, ["-x", "--halt", rule], { stdin });
    // One record is taken while the result before it is printed.
    expect(parsed(stdout).length).toBeGreaterThanOrEqual(done);
    expect(parsed(stdout).length).toBeLessThanOrEqual(Math.min(6, done + 1));
    expect(code).toBe(8);
  });

  it("soon waits for the commands under way, and their records are printed", async () => {
    const command = script("read -r _ id; [ $id = 0 ] && exit 1; sleep 0.5; echo done");
    const stdin = jsonl(...Array.from({ length: 20 }, (_, id) => record(id, `alpha ${id}`)));
    const args = ["-x", "--halt", "soon,fail=1", "--jobs", "3"];
    const { code, stdout } = await dispatch(alpha({ run: [[command]] }), args, { stdin });
    expect(code).toBe(8);
    const [failed, ...rest] = parsed(stdout);
    expect(failed?.exec?.exit_code).toBe(1);
    expect(rest.length).toBeGreaterThanOrEqual(2);
    expect(rest.length).toBeLessThan(5);
    for (const { exec, output } of rest) expect([exec?.exit_code, output]).toEqual([0, "done\n"]);
  });

  it("now ends them", async () => {
    const pids = join(temporaryFolder(), "pids");
    const command = script(`read -r _ id; [ $id = 0 ] && { sleep 0.5; exit 1; }; echo $$ >>${pids}; sleep 300`);
    const stdin = jsonl(...Array.from({ length: 20 }, (_, id) => record(id, `alpha ${id}`)));
    const started = Date.now();
    const args = ["-x", "--halt", "now,fail=1", "--jobs", "3"];
    const { code, stdout } = await dispatch(alpha({ run: [[command]] }), args, { stdin });
    expect(code).toBe(8);
    expect(Date.now() - started).toBeLessThan(10_000);
    const [failed, ...rest] = parsed(stdout);
    expect(failed?.exec?.exit_code).toBe(1);
    expect(rest.length).toBeGreaterThanOrEqual(2);
    for (const { exec } of rest) expect(exec).toMatchObject({ exit_code: 143, signal: "SIGTERM" });
    expect((await pidsIn(pids, 2)).filter(isAlive)).toEqual([]);
  });

  it.each(["later,fail=1", "now", "soon,fail=0", "now,fail=x", "now,fail=1%"])("refuses %s", async (rule) => {
    const { code, stdout, stderr } = await dispatch(failing, ["-x", "--halt", rule, "alpha"]);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain("now,fail=N or soon,fail=N");
  });
});

describe("a signal in a batch of commands", () => {
  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ])("%s ends the commands, prints what is done and leaves nothing behind", async (name, code) => {
    const signals = new EventEmitter();
    const pids = join(temporaryFolder(), "pids");
    const command = script(`read -r _ id; [ $id = 0 ] && exit 0; echo $$ >>${pids}; exec sleep 300`);
    const stdin = jsonl(...Array.from({ length: 20 }, (_, id) => ({ prompt: `alpha ${id}` })));
    const engine = createFakeEngine();
    const running = dispatch(alpha({ run: [[command]] }), ["-x", "--jobs", "3"], { stdin, signals, engine });
    const found = await pidsIn(pids, 3);
    const started = Date.now();
    signals.emit(name);
    const result = await running;
    expect(Date.now() - started).toBeLessThan(4000);
    expect(result.code).toBe(code);
    expect(parsed(result.stdout)[0]).toMatchObject({ exec: { exit_code: 0 } });
    expect(parsed(result.stdout).length).toBeLessThan(6);
    expect([found.filter(isAlive), engine.disposed(), signals.eventNames()]).toEqual([[], true, []]);
  });
});

describe("a command that is taken away between two records", () => {
  it("fails its record only", async () => {
    const command = script("cat; rm -f $0");
    const { code, stdout } = await dispatch(alpha({ run: [[command]] }), ["-x"], {
      stdin: jsonl({ prompt: "alpha" }, { prompt: "alpha" }),
    });
    expect(code).toBe(8);
    expect(parsed(stdout).map(({ exec }) => exec?.exit_code)).toEqual([0, 127]);
  });
});
