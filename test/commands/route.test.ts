import { execFileSync } from "node:child_process";
import { EventEmitter } from "node:events";
import { linkSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough, Readable, Writable } from "node:stream";
import { describe, expect, it } from "vitest";
import { run } from "../../src/cli.js";
import type { EngineUse } from "../../src/commands/open-engine.js";
import type { Surroundings } from "../../src/commands/route.js";
import { ArchRouteError } from "../../src/core/errors.js";
import { createFakeEngine } from "../helpers/fake-engine.js";
import { type CliOptions, runCli, temporaryFolder } from "../helpers/run-cli.js";
import { eventually } from "../helpers/scripts.js";
import { folderWith } from "../io/temporary-files.js";

interface Printed {
  readonly id?: unknown;
  readonly route?: string;
  readonly outcome?: string;
  readonly line?: number;
  readonly ranking?: readonly { readonly route: string; readonly probability: number }[];
  readonly error?: { readonly code: string; readonly message: string };
}

const parsed = (stdout: string) =>
  stdout
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Printed);
/** The route, or the code of the error, of each line of JSON. */
const summary = (stdout: string) => parsed(stdout).map((line) => line.route ?? line.error?.code);
const jsonl = (...values: unknown[]) => values.map((value) => `${JSON.stringify(value)}\n`).join("");
const abc = JSON.stringify([
  { name: "alpha", description: "A" },
  { name: "beta", description: "B" },
]);

/** A stream that hands out so many bytes at a time. */
function inChunks(text: string | Buffer, size: number): Readable {
  const bytes = Buffer.from(text);
  const chunks: Buffer[] = [];
  for (let start = 0; start < bytes.length; start += size) chunks.push(bytes.subarray(start, start + size));
  return Readable.from(chunks);
}

/** Runs the program with a standard output of one's own. */
async function runInto(stdout: Writable, args: readonly string[], stdin: Readable, engine = createFakeEngine()) {
  const [stderr, home] = [new PassThrough(), temporaryFolder()];
  const io: Surroundings = {
    stdin,
    stdout,
    stderr,
    env: { HOME: home, XDG_CONFIG_HOME: home, XDG_CACHE_HOME: home, XDG_STATE_HOME: home },
    cwd: () => home,
    pid: process.pid,
    on: () => undefined,
    off: () => undefined,
    kill: () => undefined,
    openEngine: async () => engine,
  };
  const code = await run(["node", "arch-route", ...args], io);
  return { code, stderr: String(stderr.read() ?? "") };
}

describe("input", () => {
  it.each([
    ["an argument", ["fix bug_fixing"], undefined, "bug_fixing\n"],
    ["several words", ["fix", "api_help", "now"], undefined, "api_help\n"],
    ["a pipe", [], "fix bug_fixing\n", "bug_fixing\n"],
    ["a pipe, asked for", ["-"], "fix bug_fixing\n", "bug_fixing\n"],
    ["a pipe that is empty", [], "", ""],
    ["a pipe of blank lines", [], "\n \n", ""],
    ["text that starts with a brace", [], "{ x = bug_fixing", "bug_fixing\n"],
    ["code that starts with a brace", [], "{\n  bug_fixing();\n}\n", "bug_fixing\n"],
    ["lines", ["--format", "lines"], "bug_fixing\n\nhello\napi_help", "bug_fixing\nother\napi_help\n"],
    ["JSON as text", ["--format", "text"], '{"prompt":"bug_fixing"}', "bug_fixing\n"],
    ["a prompt after --", ["--", "--explain bug_fixing"], undefined, "bug_fixing\n"],
    ["the name of a command after --", ["--", "config", "api_help"], undefined, "api_help\n"],
  ])("%s gives names", async (_, args, stdin, expected) => {
    const result = await runCli(args, stdin === undefined ? {} : { stdin });
    expect(result).toEqual({ code: 0, stdout: expected, stderr: "" });
  });

  it.each([
    ["a string", '"bug_fixing"'],
    ["an object", '{"prompt":"bug_fixing"}'],
    ["an object with an end of line", '{"prompt":"bug_fixing"}\n'],
    ["messages", '{"messages":[{"role":"system","content":"api_help"},{"role":"user","content":"bug_fixing"}]}'],
    ["messages, pretty-printed", JSON.stringify({ messages: [{ role: "user", content: "bug_fixing" }] }, undefined, 2)],
    [
      "messages with objects on lines of their own",
      '{"messages":[\n{"role":"user","content":"api_help"},\n{"role":"user","content":"bug_fixing"}\n]}\n',
    ],
    ["a bare list of messages", '[{"role":"user","content":"bug_fixing"}]'],
    [
      "a body as Anthropic's",
      '{"system":"x","messages":[{"role":"user","content":[{"type":"text","text":"bug_fixing"}]}]}',
    ],
    ["a body as ShareGPT's", '{"conversations":[{"from":"human","value":"bug_fixing"},{"from":"gpt","value":"ok"}]}'],
    ["an object after a byte order mark", '\ufeff{"prompt":"bug_fixing"}'],
  ])("JSON, %s, gives one line of JSON", async (_, stdin) => {
    for (const args of [[], ["--format", "json"]]) {
      const { code, stdout, stderr } = await runCli(args, { stdin, engine: createFakeEngine() });
      expect([code, stderr, parsed(stdout).length]).toEqual([0, "", 1]);
    }
    expect((await runCli(["--plain"], { stdin })).stdout).toMatch(/^(bug_fixing|other)\n$/);
  });

  it("files are read by their names, in order", async () => {
    const cwd = folderWith({
      "a.txt": "fix bug_fixing\n",
      "b.json": '{"id":1,"prompt":"api_help"}',
      "c.jsonl": jsonl({ id: 2, prompt: "programming" }, { id: 3, prompt: "none" }),
    });
    const files = ["a.txt", "b.json", "c.jsonl"].map((name) => join(cwd, name));
    const { code, stdout, stderr } = await runCli(["--plain", "-i", ...files]);
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: "bug_fixing\napi_help\nprogramming\nother\n",
      stderr: "",
    });
    const mixed = await runCli(["-i", ...files]);
    expect(mixed.stdout.split("\n").map((line) => line.slice(0, 7))).toEqual([
      "bug_fix",
      '{"id":1',
      '{"id":2',
      '{"id":3',
      "",
    ]);
  });

  it.each([1, 2, 3, 7])("is the same %i bytes at a time", async (size) => {
    const bodies: readonly (readonly [string[], string])[] = [
      [[], "fix ä€😀 bug_fixing\n"],
      [[], '{"id":"ä€😀","prompt":"bug_fixing 😀"}'],
      [[], jsonl({ id: "ä€😀", prompt: "bug_fixing" }, { id: "日本", prompt: "ß" }, "x")],
      [["--format", "lines"], "ä bug_fixing\r\n\r\n😀 api_help"],
      [["--show-prompt"], "fix ä€😀\n"],
    ];
    for (const [args, text] of bodies) {
      expect(await runCli(args, { stdin: inChunks(text, size) })).toEqual(await runCli(args, { stdin: text }));
    }
  });

  it("is the same in eight encodings of line ends, with the right line numbers", async () => {
    const records = ['{"id":1,"prompt":"bug_fixing"}', "oops", '{"id":3,"prompt":"api_help ä"}'];
    const clean = await runCli([], { stdin: `${records.join("\n")}\n` });
    expect(clean.code).toBe(3);
    expect(parsed(clean.stdout)[1]?.error?.message).toContain("line 2");
    for (const mark of ["", "\ufeff"]) {
      for (const end of ["\n", "\r\n"]) {
        for (const last of ["", end]) {
          expect(await runCli([], { stdin: mark + records.join(end) + last })).toEqual(clean);
        }
      }
    }
    const blank = await runCli([], { stdin: `\n${records.join("\n\n \n")}\n\n` });
    expect(summary(blank.stdout)).toEqual(["bug_fixing", "E_JSON", "api_help"]);
    expect(parsed(blank.stdout)[1]).toMatchObject({ line: 5, error: { message: expect.stringContaining("line 5") } });
  });

  it.each([
    ["a stray byte", "\xff", "byte 12"],
    ["an overlong NUL", "\xc0\x80", "byte 12"],
    ["a cut sequence", "\xe2\x82", "byte 12"],
  ])("that is no UTF-8, %s, is one failed record", async (_, bytes, where) => {
    const stdin = Buffer.from(`{"prompt":"bug_fixing"}\n{"prompt":"${bytes}"}\n{"prompt":"api_help"}\n`, "latin1");
    const { code, stdout } = await runCli([], { stdin });
    expect([code, ...summary(stdout)]).toEqual([3, "bug_fixing", "E_UTF8", "api_help"]);
    expect(parsed(stdout)[1]).toMatchObject({
      line: 2,
      error: { message: expect.stringContaining(`line 2, ${where}`) },
    });
    expect(stdout).not.toContain("\ufffd");
  });

  it("with NULs: raw ones are no JSON, escaped ones are routed", async () => {
    const stdin = '{"prompt":"a bug_fixing"}\n{"prompt":"a\0 bug_fixing"}\n{"prompt":"a\\u0000 bug_fixing"}\n';
    const { code, stdout } = await runCli([], { stdin });
    expect([code, ...summary(stdout)]).toEqual([3, "bug_fixing", "E_JSON", "bug_fixing"]);
  });

  it("with half a surrogate pair is routed, and printed escaped", async () => {
    const stdin = '{"id":"\\ud800","prompt":"\\ud800 bug_fixing"}';
    const { code, stdout } = await runCli([], { stdin });
    expect([code, stdout.startsWith('{"id":"\\ud800","route":"bug_fixing"')]).toEqual([0, true]);
    expect((await runCli(["--show-prompt"], { stdin })).stdout).toContain('"content": "\\ud800 bug_fixing"');
  });

  it("over the limit is skipped while it streams by, and the rest is done", async () => {
    const stdin = `${jsonl({ prompt: "bug_fixing" })}{"prompt":"${"x".repeat(100_000)}"}\n${jsonl({ prompt: "api_help" })}`;
    const { code, stdout } = await runCli(["--max-record-bytes", "100"], { stdin: inChunks(stdin, 64) });
    expect([code, ...summary(stdout)]).toEqual([3, "bug_fixing", "E_TOO_LARGE", "api_help"]);
    expect(parsed(stdout)[1]).toMatchObject({
      line: 2,
      error: { message: expect.stringContaining("--max-record-bytes") },
    });
    const exact = jsonl({ prompt: "bug_fixing" });
    const limit = String(exact.length - 1);
    expect((await runCli(["--max-record-bytes", limit, "--format", "jsonl"], { stdin: exact })).code).toBe(0);
    expect(
      (await runCli(["--max-record-bytes", String(exact.length - 2), "--format", "jsonl"], { stdin: exact })).code,
    ).toBe(3);
  });

  it("nested however deep never ends in a defect", async () => {
    const deep = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
    const stdin = [
      `{"id":1,"prompt":"bug_fixing","deep":${deep(200_000)}}`,
      deep(200_000),
      "[".repeat(200_000),
      `{"id":2,"messages":${deep(200_000)}}`,
      '{"id":3,"prompt":"api_help"}\n',
    ].join("\n");
    const { code, stdout } = await runCli(["--format", "jsonl"], { stdin });
    expect([code, ...summary(stdout)]).toEqual([3, "bug_fixing", "E_SHAPE", "E_JSON", "E_SHAPE", "api_help"]);
  });

  it.each([
    ["null", "null", "/"],
    ["a number", "7", "/"],
    ["an empty list", "[]", "/"],
    ["an empty object", "{}", "/"],
    ["an empty prompt", '{"prompt":" "}', "/prompt"],
    ["a prompt that is a number", '{"prompt":7}', "/prompt"],
    ["no messages", '{"messages":[]}', "/messages"],
    ["messages of the system only", '{"messages":[{"role":"system","content":"x"}]}', "/messages"],
    [
      "an unknown role",
      '{"messages":[{"role":"user","content":"x"},{"role":"king","content":"x"}]}',
      "/messages/1/role",
    ],
    ["no content", '{"messages":[{"role":"user"}]}', "/messages/0/content"],
    ["__proto__ for a role", '{"messages":[{"role":"__proto__","content":"x"}]}', "/messages/0/role"],
    ["an id that is an object", '{"id":{},"prompt":"x"}', "/id"],
    [
      "routes of one name",
      '{"prompt":"x","routes":[{"name":"a","description":"A"},{"name":"a","description":"A"}]}',
      "/routes/1/name",
    ],
    ["a route called other", '{"prompt":"x","routes":[{"name":"other","description":"A"}]}', "/routes/0/name"],
  ])("of the wrong shape, %s, is one failed record that names the place", async (_, record, pointer) => {
    const { code, stdout } = await runCli(["--format", "jsonl"], {
      stdin: `${record}\n${jsonl({ prompt: "api_help" })}`,
    });
    expect([code, ...summary(stdout)]).toEqual([3, "E_SHAPE", "api_help"]);
    expect(parsed(stdout)[0]?.error?.message).toMatch(new RegExp(`^${pointer}: `));
  });

  it("of which a single one is bad has no route, one line on stderr, and the exit code 3", async () => {
    expect(await runCli(["--format", "json"], { stdin: '{"prompt":7}' })).toEqual({
      code: 3,
      stdout: '{"line":1,"error":{"code":"E_SHAPE","message":"/prompt: expected a string, got a number"}}\n',
      stderr: "arch-route: /prompt: expected a string, got a number\n",
    });
    expect(await runCli([], { stdin: Buffer.from([0xff]) })).toEqual({
      code: 3,
      stdout: "",
      stderr: "arch-route: not valid UTF-8 (line 1, byte 1)\n",
    });
  });

  it("leaves Object.prototype alone", async () => {
    const names = ["__proto__", "constructor", "toString", "hasOwnProperty"];
    const records = names.flatMap((name) => [
      `{"${name}":{"x":1},"prompt":"x","id":"${name}"}`,
      `{"prompt":"${name}","routes":[{"name":"${name}","description":"A"}]}`,
    ]);
    const { code, stdout } = await runCli([], { stdin: `${records.join("\n")}\n` });
    expect(code).toBe(0);
    expect(parsed(stdout).map(({ id, route }) => id ?? route)).toEqual(names.flatMap((name) => [name, name]));
    expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
  });

  it("among files: what cannot be read is named, the others are done", async () => {
    const cwd = folderWith({ "a.jsonl": jsonl({ prompt: "bug_fixing" }), "z.jsonl": jsonl({ prompt: "api_help" }) });
    const at = (name: string) => join(cwd, name);
    mkdirSync(at("folder.jsonl"));
    execFileSync("mkfifo", [at("pipe")]);
    const files = ["a.jsonl", "missing.jsonl", "folder.jsonl", "pipe", "z.jsonl"].map(at);
    const [result] = await Promise.all([
      runCli(["-i", ...files]),
      writeFile(at("pipe"), jsonl({ prompt: "programming" }, { prompt: "none" })),
    ]);
    expect(result.code).toBe(3);
    expect(summary(result.stdout)).toEqual(["bug_fixing", "E_READ", "E_READ", "programming", "other", "api_help"]);
    expect(parsed(result.stdout)[1]?.error?.message).toBe(`${at("missing.jsonl")}: no such file`);
    expect(parsed(result.stdout)[2]?.error?.message).toBe(`${at("folder.jsonl")}: it is a folder`);
    expect(result.stderr).toBe("arch-route: 2 of 6 records failed\n");
  });

  it("of which the only file is missing has no route", async () => {
    expect(await runCli(["-i", "/nowhere/a.txt"])).toEqual({
      code: 3,
      stdout: "",
      stderr: "arch-route: /nowhere/a.txt: no such file\n",
    });
  });
});

describe("a cut JSONL file", () => {
  const first = jsonl({ prompt: "bug_fixing" });
  const last = jsonl({ id: "ä€😀", messages: [{ role: "user", content: 'api_help {"x"}' }] }).trimEnd();
  const whole = Buffer.from(`${first}${last}`);
  const cuts = Array.from({ length: whole.length - first.length + 1 }, (_, index) => first.length + index);
  const expected = (cut: number) => (cut === first.length ? [] : cut === whole.length ? ["api_help"] : ["failed"]);
  const outcome = (stdout: string) => summary(stdout).map((name) => (name?.startsWith("E_") ? "failed" : name));

  it("is never taken for a whole one, wherever it was cut", async () => {
    for (const cut of cuts) {
      const cwd = folderWith({ "x.jsonl": whole.subarray(0, cut) });
      const { code, stdout } = await runCli(["-i", join(cwd, "x.jsonl")]);
      expect([cut, code, ...outcome(stdout)]).toEqual([
        cut,
        expected(cut)[0] === "failed" ? 3 : 0,
        "bug_fixing",
        ...expected(cut),
      ]);
    }
  });

  it("is found to be JSONL and cut when it is piped", async () => {
    for (const cut of cuts) {
      const { code, stdout } = await runCli([], { stdin: inChunks(whole.subarray(0, cut), 11) });
      expect([cut, code, ...outcome(stdout)]).toEqual([
        cut,
        expected(cut)[0] === "failed" ? 3 : 0,
        "bug_fixing",
        ...expected(cut),
      ]);
    }
  });

  it("is refused even if only a part of its first record is left, if the format is given", async () => {
    for (const format of ["json", "jsonl"]) {
      for (let cut = 1; cut < first.length - 1; cut++) {
        const { code, stdout } = await runCli(["--format", format], { stdin: first.slice(0, cut) });
        expect([cut, code, ...summary(stdout)]).toEqual([cut, 3, "E_JSON"]);
      }
    }
  });
});

describe("output", () => {
  const stdin = jsonl({ id: 1, prompt: "alpha=0.7" }, { id: 2, prompt: "beta=0.6" });
  const cwd = folderWith({ "abc.json": abc });

  it.each([
    ["a name", ["alpha=0.7"], "alpha\n"],
    ["the best, with probabilities", ["--top", "2", "alpha=0.7"], "alpha\t0.700\nbeta\t0.150\n"],
    ["all there are, if more are asked for", ["--top", "9", "alpha=0.7"], "alpha\t0.700\nbeta\t0.150\nother\t0.150\n"],
    [
      "JSON",
      ["--json", "alpha=0.7"],
      '{"route":"alpha","outcome":"matched","confidence":0.7,"margin":0.55,"ranking":[{"route":"alpha","probability":0.7},{"route":"beta","probability":0.15},{"route":"other","probability":0.15}],"model":"fake","tokens":{"prompt":10,"cached":0},"trimmed":false}\n',
    ],
    [
      "JSON of the best",
      ["--json", "--top", "1", "alpha=0.7"],
      '{"route":"alpha","outcome":"matched","confidence":0.7,"margin":0.55,"ranking":[{"route":"alpha","probability":0.7}],"model":"fake","tokens":{"prompt":10,"cached":0},"trimmed":false}\n',
    ],
  ])("of a prompt: %s", async (_, args, expected) => {
    expect(await runCli(["-r", "abc.json", ...args], { cwd })).toEqual({ code: 0, stdout: expected, stderr: "" });
  });

  it("of a prompt: a table for people", async () => {
    const { stdout } = await runCli(["-r", "abc.json", "--explain", "alpha=0.7"], { cwd });
    expect(stdout).toMatchInlineSnapshot(`
      "alpha   70.0 %  ████████████████▊
      beta    15.0 %  ███▋
      other   15.0 %  ███▋

      matched alpha · margin 0.55 · model fake · 10 tokens, 0 of them cached
      "
    `);
  });

  it.each([
    ["names", ["--plain"], "alpha\nbeta\n"],
    ["the best on a line", ["--plain", "--top", "2"], "alpha\t0.700\tbeta\t0.150\nbeta\t0.600\talpha\t0.200\n"],
  ])("of JSONL: %s", async (_, args, expected) => {
    expect(await runCli(["-r", "abc.json", ...args], { cwd, stdin })).toEqual({
      code: 0,
      stdout: expected,
      stderr: "",
    });
  });

  it("of JSONL: a line of JSON a record, with as much of the ranking as asked for", async () => {
    for (const [top, args] of [
      [3, []],
      [2, ["--top", "2"]],
      [1, ["--json", "--top", "1"]],
    ] as const) {
      const { stdout } = await runCli(["-r", "abc.json", ...args], { cwd, stdin });
      expect(parsed(stdout).map(({ id, route, ranking }) => [id, route, ranking?.length])).toEqual([
        [1, "alpha", top],
        [2, "beta", top],
      ]);
    }
  });

  it("of JSONL: tables for people", async () => {
    const { stdout } = await runCli(["-r", "abc.json", "--explain", "--top", "1"], { cwd, stdin });
    expect(stdout.match(/^(alpha|beta) {2,}\d/gm)).toHaveLength(2);
  });

  it("of lines as JSON, if asked for", async () => {
    const { stdout } = await runCli(["-r", "abc.json", "--json", "--format", "lines"], { cwd, stdin: "alpha\nbeta\n" });
    expect(summary(stdout)).toEqual(["alpha", "beta"]);
  });

  it("is what stands behind a route, if there is anything", async () => {
    const set = {
      routes: [
        { name: "alpha", description: "A", model: "m", run: [["one"], ["two"]] },
        { name: "beta", description: "B", model: "b" },
      ],
      command: ["ollama", "run", "{model}", "{route}"],
      other: { run: [["cat"]] },
    };
    const folder = folderWith({ "set.json": JSON.stringify(set) });
    const target = async (prompt: string) => {
      const { stdout } = await runCli(["-r", "set.json", "--json", prompt], { cwd: folder });
      return (JSON.parse(stdout) as { target?: unknown }).target;
    };
    expect(await target("alpha")).toEqual({ model: "m", command: ["one"] });
    expect(await target("beta")).toEqual({ model: "b", command: ["ollama", "run", "b", "beta"] });
    expect(await target("none")).toEqual({ command: ["cat"] });
  });

  it("goes to a file, and nothing to stdout", async () => {
    const folder = folderWith({
      "abc.json": abc,
      "out.jsonl": "what was there before, longer than what comes\n".repeat(99),
    });
    const result = await runCli(["-r", "abc.json", "-o", join(folder, "out.jsonl")], { cwd: folder, stdin });
    expect(result).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(summary(readFileSync(join(folder, "out.jsonl"), "utf8"))).toEqual(["alpha", "beta"]);
  });

  it("never goes over an input, by whatever name", async () => {
    const folder = folderWith({ "in.jsonl": stdin });
    const at = (name: string) => join(folder, name);
    symlinkSync(at("in.jsonl"), at("symbolic.jsonl"));
    linkSync(at("in.jsonl"), at("hard.jsonl"));
    for (const name of ["in.jsonl", "./in.jsonl", "symbolic.jsonl", "hard.jsonl"]) {
      const { code, stdout, stderr } = await runCli(["-i", at("in.jsonl"), "-o", `${folder}/${name}`]);
      expect([code, stdout]).toEqual([2, ""]);
      expect(stderr).toBe(`arch-route: --output ${folder}/${name}: it is also an input; write to another file\n`);
    }
    expect(readFileSync(at("in.jsonl"), "utf8")).toBe(stdin);
  });

  it.each([
    ["a folder that is not there", "nowhere/out", "its folder does not exist"],
    ["a folder", ".", "it is a folder"],
  ])("to %s: the exit code 6, and one line", async (_, path, why) => {
    const folder = temporaryFolder();
    for (const given of [{ stdin }, { stdin: "" }]) {
      const { code, stdout, stderr } = await runCli(["-o", join(folder, path)], given);
      expect([code, stdout]).toEqual([6, ""]);
      expect(stderr).toBe(`arch-route: ${join(folder, path)}: cannot be written: ${why}\n`);
    }
  });

  it("keeps what a file held if the model cannot be had", async () => {
    const folder = folderWith({ "out.jsonl": "precious\n" });
    const stdout = new PassThrough();
    const failing = async () => {
      // Time enough for a file to be opened, and so emptied.
      await new Promise((resolve) => setTimeout(resolve, 100));
      throw new ArchRouteError("E_MODEL", "not on this machine");
    };
    const home = temporaryFolder();
    const io = {
      stdin: Readable.from([Buffer.from(stdin)]),
      stdout,
      stderr: new PassThrough(),
      env: { HOME: home, XDG_CONFIG_HOME: home },
      cwd: () => folder,
      pid: 1,
      on: () => undefined,
      off: () => undefined,
      kill: () => undefined,
      openEngine: failing,
    } satisfies Surroundings;
    expect(await run(["node", "arch-route", "-o", join(folder, "out.jsonl")], io)).toBe(4);
    expect(readFileSync(join(folder, "out.jsonl"), "utf8")).toBe("precious\n");
  });
});

describe("output that fails", () => {
  const records = 12;
  const stdin = jsonl(...Array.from({ length: records }, (_, id) => ({ id, prompt: "bug_fixing" })));

  it.each(["ENOSPC", "EIO"])("with %s at the Nth write ends the run with 6 and one line, for all N", async (code) => {
    for (let n = 1; n <= records; n++) {
      const written: string[] = [];
      let writes = 0;
      const stdout = new Writable({
        write(chunk, _encoding, callback) {
          if (++writes === n) return callback(Object.assign(new Error(`${code}: write`), { code }));
          written.push(String(chunk));
          callback();
        },
      });
      const engine = createFakeEngine();
      const result = await runInto(stdout, [], inChunks(stdin, 50), engine);
      expect([n, result.code]).toEqual([n, 6]);
      expect(result.stderr).toMatch(/^arch-route: standard output: cannot be written: [^\n]+\n$/);
      expect(written.length).toBe(n - 1);
      expect([engine.calls.length, engine.disposed()]).toEqual([n, true]);
    }
  });

  it("goes before bad records in the exit code", async () => {
    const stdout = new Writable({
      write: (_chunk, _encoding, callback) => callback(Object.assign(new Error("EIO"), { code: "EIO" })),
    });
    expect((await runInto(stdout, ["--format", "jsonl"], Readable.from(["oops\n"]))).code).toBe(6);
  });

  it("because its reader went away ends the run well, within one record", async () => {
    let writes = 0;
    const stdout = new Writable({
      write(_chunk, _encoding, callback) {
        callback(++writes > 3 ? Object.assign(new Error("EPIPE"), { code: "EPIPE" }) : null);
      },
    });
    const engine = createFakeEngine();
    const input = inChunks(stdin, 50);
    expect(await runInto(stdout, [], input, engine)).toEqual({ code: 0, stderr: "" });
    expect([engine.calls.length, input.destroyed]).toEqual([4, true]);
  });

  it("lets go of an input that does not end", async () => {
    async function* endless(): AsyncGenerator<Buffer> {
      yield Buffer.from(stdin);
      await new Promise(() => undefined);
    }
    const stdout = new Writable({
      write: (_chunk, _encoding, callback) => callback(Object.assign(new Error("EIO"), { code: "EIO" })),
    });
    const input = Readable.from(endless());
    expect((await runInto(stdout, [], input)).code).toBe(6);
    expect(input.destroyed).toBe(true);
  });

  it("slowly holds the reading back", async () => {
    let [read, written, ahead] = [0, 0, 0];
    async function* counted(): AsyncGenerator<Buffer> {
      for (; read < 60; read++) yield Buffer.from(jsonl({ id: read, prompt: "bug_fixing" }));
    }
    const stdout = new Writable({
      highWaterMark: 1,
      write(_chunk, _encoding, callback) {
        ahead = Math.max(ahead, read - ++written);
        setTimeout(callback, 3);
      },
    });
    const engine = createFakeEngine();
    expect((await runInto(stdout, [], Readable.from(counted()), engine)).code).toBe(0);
    expect(engine.calls.length).toBe(60);
    expect(ahead).toBeLessThan(8);
  });
});

describe("a batch", () => {
  it("prints exactly one line for each of 200 lines of all kinds, in order", async () => {
    const kinds: ((id: number) => string)[] = [
      (id) => `{"id":${id},"prompt":"bug_fixing"}`,
      (id) => `{"id":${id},"messages":[{"role":"user","content":"api_help"}]}`,
      () => "{oops",
      (id) => `{"id":${id},"conversations":[{"from":"human","value":"x"}]}`,
      () => "null",
      (id) => `  {"id": ${id}, "prompt": "indented"}  \r`,
      (id) => `{"id":${id},"prompt":"${"y".repeat(3000)}"}`,
      (id) => `{"id":${id},"prompt":"\xff"}`,
      (id) => `{"id":${id},"prompt":""}`,
      (id) => `{"id":0,"id":${id},"prompt":"twice"}`,
      (id) => `{"id":${id},"prompt":"alpha","routes":[{"name":"alpha","description":"A"}]}`,
      (id) => `{"id":${id},"prompt":"x"} trailing`,
      (id) => `{"id":${id},"prompt":"x\0y"}`,
    ];
    const good = new Set([0, 1, 3, 5, 9, 10]);
    const lines = Array.from({ length: 200 }, (_, index) => kinds[index % kinds.length]?.(index) ?? "");
    const stdin = Buffer.from(`${lines.join("\n")}\n`, "latin1");
    const { code, stdout, stderr } = await runCli(["--max-record-bytes", "2000"], { stdin: inChunks(stdin, 777) });
    const printed = parsed(stdout);
    expect(code).toBe(3);
    expect(printed).toHaveLength(200);
    for (const [index, line] of printed.entries()) {
      if (good.has(index % kinds.length)) expect([line.id, line.error]).toEqual([index, undefined]);
      else expect([line.line, typeof line.error?.code]).toEqual([index + 1, "string"]);
    }
    const failures = printed.filter((line) => line.error).length;
    expect(stderr).toBe(`arch-route: ${failures} of 200 records failed\n`);
  });

  it.each([
    ["a string", '"a b"', '"a b"'],
    ["an empty string", '""', '""'],
    ["a number", "7", "7"],
    ["a number of 20 digits", "12345678901234567890", "12345678901234567890"],
    ["a number with an exponent", "1E400", "1E400"],
    ["a fraction with a zero", "1.50", "1.50"],
    ["null", "null", "null"],
    ["a string with an escape", '"\\u0041\\u001b"', '"A\\u001b"'],
    ["the last of two", '1,"id":"x"', '"x"'],
    ["the last of two numbers", '"x","id":12345678901234567890', "12345678901234567890"],
    ["null after a number", '5,"id":null', "null"],
  ])("echoes an id that is %s", async (_, id, expected) => {
    for (const args of [
      ["--format", "json"],
      ["--format", "jsonl"],
    ]) {
      const { code, stdout } = await runCli(args, { stdin: `{"id":${id},"prompt":"bug_fixing"}` });
      expect(code).toBe(0);
      expect(stdout.startsWith(`{"id":${expected},"route":"bug_fixing",`)).toBe(true);
    }
  });

  it("has no id where there was none", async () => {
    const { stdout } = await runCli([], { stdin: jsonl({ prompt: "x" }, { prompt: "y" }) });
    expect(parsed(stdout).some((line) => "id" in line)).toBe(false);
  });

  it("takes the last of two prompts", async () => {
    const { stdout } = await runCli([], { stdin: '{"prompt":"api_help","prompt":"bug_fixing"}\n{}\n' });
    expect(summary(stdout)[0]).toBe("bug_fixing");
  });

  it("routes a record among its own routes, and the next among everybody's", async () => {
    const own = [{ name: "mine", description: "M", run: [["rm"]], model: "x" }];
    const engine = createFakeEngine();
    const { stdout } = await runCli([], {
      engine,
      stdin: jsonl({ prompt: "mine", routes: own }, { prompt: "mine bug_fixing" }),
    });
    expect(summary(stdout)).toEqual(["mine", "bug_fixing"]);
    expect(engine.calls.map(({ routes }) => routes.length)).toEqual([1, 5]);
    expect(engine.calls[0]?.routes).toEqual([{ name: "mine", description: "M" }]);
    expect(stdout).not.toContain('"rm"');
  });

  it("runs its model in a process of its own, a single routing does not", async () => {
    const isolated = async (args: string[], given: CliOptions = {}) => {
      const uses: EngineUse[] = [];
      await runCli(args, { ...given, onOpen: (_config, use) => uses.push(use) });
      return uses.map((use) => use.isolated);
    };
    expect(await isolated(["x"])).toEqual([false]);
    expect(await isolated([], { stdin: '{"prompt":"x"}' })).toEqual([false]);
    expect(await isolated([], { stdin: jsonl({ prompt: "x" }, { prompt: "y" }) })).toEqual([true]);
    expect(await isolated(["--format", "lines"], { stdin: "x" })).toEqual([true]);
    expect(await isolated([], { stdin: "" })).toEqual([]);
  });

  it("goes on after a record at which the model died", async () => {
    let rank = 0;
    const engine = createFakeEngine({
      onRank() {
        if (++rank === 2) throw new ArchRouteError("E_MODEL_DIED", "model process died (SIGABRT)");
      },
    });
    const { code, stdout } = await runCli([], {
      engine,
      stdin: jsonl(..."abc".split("").map((prompt) => ({ prompt }))),
    });
    expect([code, ...summary(stdout)]).toEqual([4, "other", "E_MODEL_DIED", "other"]);
    expect(engine.disposed()).toBe(true);
  });

  it("frees the engine, and shows a stack, at a defect of the program", async () => {
    const engine = createFakeEngine({
      onRank() {
        throw new TypeError("x is not a function");
      },
    });
    const { code, stderr } = await runCli([], { engine, stdin: jsonl({ prompt: "x" }, { prompt: "y" }) });
    expect(code).toBe(70);
    expect(stderr).toContain("a defect of this program");
    expect(stderr).toContain("TypeError: x is not a function\n    at ");
    expect(engine.disposed()).toBe(true);
  });
});

describe("thresholds and outcomes", () => {
  it.each([
    ["matched", ["bug_fixing=0.9"], 0, "bug_fixing", "matched"],
    ["other", ["nothing of the kind"], 0, "other", "other"],
    ["unsure under the confidence", ["--min-confidence", "0.8", "bug_fixing=0.7"], 0, "other", "unsure"],
    ["sure at the confidence", ["--min-confidence", "0.7", "bug_fixing=0.75"], 0, "bug_fixing", "matched"],
    ["unsure under the margin", ["--min-margin", "0.5", "bug_fixing=0.5"], 0, "other", "unsure"],
    ["a route, required", ["--require-route", "bug_fixing"], 0, "bug_fixing", "matched"],
    ["other, a route required", ["--require-route", "nothing"], 1, "other", "other"],
    ["unsure, a route required", ["--require-route", "--min-confidence", "1", "bug_fixing"], 1, "other", "unsure"],
  ])("%s", async (_, args, code, route, outcome) => {
    const json = await runCli(["--json", ...args]);
    expect(json.code).toBe(code);
    expect(JSON.parse(json.stdout)).toMatchObject({ route, outcome });
    expect(await runCli(args)).toEqual({ code, stdout: `${route}\n`, stderr: "" });
  });

  it("keep the best guess of the unsure in the ranking", async () => {
    const { stdout } = await runCli(["--json", "--min-confidence", "0.8", "bug_fixing=0.7"]);
    expect(parsed(stdout)[0]?.ranking?.[0]).toEqual({ route: "bug_fixing", probability: 0.7 });
  });

  it("of a batch make one exit code", async () => {
    const stdin = jsonl({ prompt: "bug_fixing" }, { prompt: "nothing" });
    expect((await runCli([], { stdin })).code).toBe(0);
    expect((await runCli(["--require-route"], { stdin })).code).toBe(1);
    expect((await runCli(["--require-route"], { stdin: `${stdin}oops\n` })).code).toBe(3);
  });
});

describe("--history", () => {
  const turns = ["u1", "a1", "u2", "a2", "u3"].map((content) => ({
    role: content.startsWith("u") ? "user" : "assistant",
    content,
  }));

  it.each([
    ["all", ["u1", "a1", "u2", "a2", "u3"]],
    ["last", ["u3"]],
    ["1", ["u3"]],
    ["2", ["u2", "a2", "u3"]],
    ["99", ["u1", "a1", "u2", "a2", "u3"]],
  ])("%s", async (history, expected) => {
    const engine = createFakeEngine();
    await runCli(["--history", history], { engine, stdin: JSON.stringify({ messages: turns }) });
    expect(engine.calls[0]?.conversation.map(({ content }) => content)).toEqual(expected);
    const { stdout } = await runCli(["--history", history, "--show-prompt"], {
      stdin: JSON.stringify({ messages: turns }),
    });
    expect(turns.map(({ content }) => content).filter((content) => stdout.includes(`"${content}"`))).toEqual(expected);
  });

  it.each(["0", "-1", "none", "1.5"])("refuses %s", async (history) => {
    expect(await runCli([`--history=${history}`, "x"])).toMatchObject({ code: 2, stdout: "" });
  });
});

describe("--show-prompt", () => {
  it("prints the whole chat text of one conversation, and no model is opened", async () => {
    let opened = 0;
    const { code, stdout, stderr } = await runCli(["--show-prompt", "fix <|im_end|> ä"], { onOpen: () => opened++ });
    expect([code, stderr, opened]).toEqual([0, "", 0]);
    expect(stdout.startsWith("<|im_start|>system\nYou are Qwen")).toBe(true);
    expect(stdout.endsWith("<|im_end|>\n<|im_start|>assistant\n")).toBe(true);
    expect(stdout).toContain('[{"role": "user", "content": "fix \\u003c|im_end|> ä"}]');
    expect(stdout.match(/<\|im_end\|>/g)).toHaveLength(2);
  });

  it("writes what is not ASCII as asked", async () => {
    expect((await runCli(["--show-prompt", "--unicode", "escape", "ä😀"])).stdout).toContain('"\\u00e4\\ud83d\\ude00"');
  });

  it("prints a JSON string a line for JSONL, of the record's own routes", async () => {
    const stdin = jsonl({ prompt: "one" }, { prompt: "two", routes: [{ name: "mine", description: "M" }] });
    const { code, stdout } = await runCli(["--show-prompt"], { stdin });
    const texts = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as string);
    expect([code, texts.length]).toEqual([0, 2]);
    expect(texts[0]).toContain("bug_fixing");
    expect(texts[0]).toBe((await runCli(["--show-prompt", "one"])).stdout);
    expect(texts[1]).toContain('[{"name": "mine", "description": "M"}]');
    expect(texts[1]).not.toContain("bug_fixing");
  });

  it("stops at what is no conversation, with the exit code 3", async () => {
    expect(await runCli(["--show-prompt"], { stdin: "[]" })).toMatchObject({ code: 3, stdout: "" });
  });
});

describe("an interrupt", () => {
  const stdin = jsonl(...Array.from({ length: 200 }, (_, id) => ({ id, prompt: "bug_fixing" })));

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ])("by %s ends a batch with %i, what is done printed", async (signal, expected) => {
    const signals = new EventEmitter();
    const engine = createFakeEngine({
      delay: 5,
      onRank: (call) => {
        if (call === 5) signals.emit(signal);
      },
    });
    const { code, stdout, stderr } = await runCli([], { signals, engine, stdin });
    expect(code).toBe(expected);
    expect(parsed(stdout).map(({ id }) => id)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(stderr).toBe("arch-route: interrupted after 6 records, at -:6\n");
    expect([engine.disposed(), signals.eventNames()]).toEqual([true, []]);
  });

  it("ends a batch in the middle of a long inference, within two seconds", async () => {
    const signals = new EventEmitter();
    const engine = createFakeEngine({ delay: 30_000, onRank: () => setTimeout(() => signals.emit("SIGINT"), 20) });
    const started = Date.now();
    const { code, stdout, stderr } = await runCli([], { signals, engine, stdin });
    expect([code, stdout, stderr]).toEqual([130, "", "arch-route: interrupted after 0 records\n"]);
    expect(Date.now() - started).toBeLessThan(2000);
  });

  it("ends a batch that waits for its input, and lets go of it", async () => {
    const signals = new EventEmitter();
    async function* stuck(): AsyncGenerator<Buffer> {
      yield Buffer.from(jsonl({ id: 0, prompt: "a" }, { id: 1, prompt: "b" }));
      await eventually(() => engine.calls.length === 2, "two answers");
      setTimeout(() => signals.emit("SIGINT"), 20);
      await new Promise(() => undefined);
    }
    const engine = createFakeEngine();
    const input = Readable.from(stuck());
    const { code, stdout } = await runCli([], { signals, engine, stdin: input });
    expect([code, parsed(stdout).length, input.destroyed]).toEqual([130, 2, true]);
  });

  it("goes before bad records in the exit code", async () => {
    const signals = new EventEmitter();
    const engine = createFakeEngine({ onRank: () => signals.emit("SIGINT") });
    expect((await runCli([], { signals, engine, stdin: `{oops\n${stdin}` })).code).toBe(130);
  });

  it("that comes a second time ends the process as if nobody had listened", async () => {
    const signals = new EventEmitter();
    const killed: string[] = [];
    signals.on("killed", (signal: string) => killed.push(`${signal} ${signals.listenerCount(signal)}`));
    const engine = createFakeEngine({
      delay: 20,
      onRank() {
        signals.emit("SIGINT");
        signals.emit("SIGINT");
      },
    });
    await runCli([], { signals, engine, stdin });
    expect(killed).toEqual(["SIGINT 0"]);
  });

  it("has its usual effect on a single routing", async () => {
    const signals = new EventEmitter();
    let listening: unknown[] = [];
    const engine = createFakeEngine({
      onRank() {
        listening = signals.eventNames();
      },
    });
    await runCli(["x"], { signals, engine });
    expect(listening).toEqual([]);
  });
});

describe("what a terminal might obey", () => {
  const osc = "\u001b]52;c;aGk=\u0007";
  const link = "\u001b]8;;http://example.org\u0007";
  const hostile = `${osc}${link}\u001b[31m\u009b31m\u009d0;title\u009c\u202ebidi\u2066\u200f\u007f\u0085]`;
  const obeyed = /[^\P{Cc}\t\n]|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;
  const name = `evil${hostile}`;
  const set = {
    routes: [{ name, description: `described ${hostile}`, model: `m${hostile}`, run: [[`c${hostile}`]] }],
    other: { model: hostile },
    command: [hostile],
  };
  const prompt = `a prompt ${hostile} for ${name}`;
  const cwd = folderWith({
    "set.json": JSON.stringify(set),
    ".arch-route.yaml": JSON.stringify(set),
    [`${hostile}.jsonl`]: "oops\n",
    [`${hostile}.txt`]: Buffer.from([0xff]),
    "plano.yaml": JSON.stringify({
      routing_preferences: [{ name, description: `d ${hostile}`, models: [`x/${hostile}`] }],
    }),
    "bad.json": JSON.stringify({ routes: [], [hostile]: 1 }),
    "equal.json": JSON.stringify([set.routes[0], set.routes[0]]),
  });
  const file = (path: string) => join(cwd, path);
  const record = (more = {}) => jsonl({ id: hostile, prompt, ...more });
  const broken = `{"id":${JSON.stringify(hostile)},"messages":[{"role":${JSON.stringify(hostile)}}]}\n${hostile}\n`;

  it.each<[string, string[], CliOptions]>([
    ["a name", [prompt], {}],
    ["JSON", ["--json", prompt], {}],
    ["--top", ["--top", "3", prompt], {}],
    ["a table", ["--explain", prompt], {}],
    ["JSONL", [], { stdin: record() + record({ routes: set.routes }) }],
    ["names of JSONL", ["--plain"], { stdin: record() + record({ routes: set.routes }) }],
    ["tables of JSONL", ["--explain"], { stdin: record() + record({ routes: set.routes }) }],
    ["--show-prompt of JSONL", ["--show-prompt"], { stdin: record() + record() }],
    ["--show-prompt on a terminal", ["--show-prompt", prompt], { stdoutIsTerminal: true }],
    ["broken JSONL", ["--format", "jsonl"], { stdin: broken }],
    ["broken JSONL with --plain", ["--format", "jsonl", "--plain"], { stdin: broken }],
    ["the list of routes", ["routes"], {}],
    ["the list of routes as JSON", ["routes", "--json"], {}],
    ["the check of routes", ["routes", "check"], {}],
    ["the configuration", ["config"], {}],
    ["the configuration as JSON", ["config", "--json"], {}],
    ["what is trusted", ["trust"], {}],
    ["what is imported", ["routes", "import", file("plano.yaml")], {}],
    ["an import of a file that is not there", ["routes", "import", hostile], {}],
    ["an unknown key", ["-r", file("bad.json"), "x"], {}],
    ["an unknown key, with the stack", ["-v", "-r", file("bad.json"), "x"], {}],
    ["two equal names", ["-r", file("equal.json"), "x"], {}],
    ["a route set that is not there", ["-r", hostile, "x"], {}],
    ["a file that is not there", ["-i", file(`nowhere${hostile}`)], {}],
    ["bad files", ["--plain", "-i", file(`${hostile}.txt`), file(`${hostile}.jsonl`)], {}],
    ["an output that cannot be written", ["-o", `/nowhere/${hostile}`, "x"], {}],
    ["an unknown option", [`--${hostile}`], {}],
    ["a wrong value", ["--gpu", hostile, "x"], {}],
    ["a wrong number", ["--top", hostile, "x"], {}],
    ["a wrong choice", ["--format", hostile, "x"], {}],
    ["an unknown command below a command", ["routes", hostile], {}],
    ["a model that is not known", ["-m", `arch-router:${hostile}`, "x"], {}],
    ["a wrong variable", ["x"], { env: { ARCH_ROUTE_GPU: hostile } }],
  ])("is not printed: %s", async (_, args, options) => {
    const { stdout, stderr } = await runCli(args, { cwd, ...options });
    expect(stdout + stderr).not.toBe("");
    expect(obeyed.exec(stdout)?.[0]).toBeUndefined();
    expect(obeyed.exec(stderr)?.[0]).toBeUndefined();
  });

  it("is not printed in a folder of such a name", async () => {
    const folder = folderWith({ [`${hostile}/.arch-route.yaml`]: "routes: []" });
    for (const args of [["x"], ["routes", "init"], ["routes", "check"], ["-i", hostile]]) {
      const { stdout, stderr } = await runCli(args, { cwd: join(folder, hostile) });
      expect(obeyed.test(stdout + stderr)).toBe(false);
    }
  });

  it("is in JSON as an escape, the line separators too", async () => {
    const { stdout } = await runCli(["--format", "jsonl"], {
      stdin: jsonl({ id: "\u007f\u0085\u009b\u2028\u2029\u202e\u001b", prompt: "x" }),
    });
    expect(stdout).toContain('"id":"\\u007f\\u0085\\u009b\\u2028\\u2029\\u202e\\u001b"');
    expect(parsed(stdout)[0]?.id).toBe("\u007f\u0085\u009b\u2028\u2029\u202e\u001b");
  });

  it("is not printed of a defect", async () => {
    const engine = createFakeEngine({
      onRank() {
        throw new Error(hostile);
      },
    });
    const { code, stderr } = await runCli(["x"], { engine });
    expect([code, obeyed.test(stderr)]).toEqual([70, false]);
  });

  it("is passed on to the model as it is", async () => {
    const engine = createFakeEngine();
    await runCli([prompt], { engine });
    expect(engine.calls[0]?.conversation[0]?.content).toBe(prompt);
  });
});

describe("colours", () => {
  const stdin = `${jsonl({ prompt: "bug_fixing" }, { prompt: "x" })}oops\n`;

  it.each<[string, string[], CliOptions]>([
    ["in a pipe", ["--explain", "bug_fixing"], {}],
    ["in a pipe, with a terminal for stderr", ["--explain", "bug_fixing"], { stderrIsTerminal: true }],
    ["with NO_COLOR", ["--explain", "bug_fixing"], { stdoutIsTerminal: true, env: { NO_COLOR: "1" } }],
    [
      "on a dumb terminal",
      ["--explain", "bug_fixing"],
      { stdoutIsTerminal: true, stderrIsTerminal: true, env: { TERM: "dumb" } },
    ],
    ["of names on a terminal", ["bug_fixing"], { stdoutIsTerminal: true, stderrIsTerminal: true }],
    ["of JSON on a terminal", ["--json", "bug_fixing"], { stdoutIsTerminal: true, stderrIsTerminal: true }],
    ["of a batch in a pipe", [], { stdin }],
    ["of a batch on a dumb terminal", [], { stdin, stderrIsTerminal: true, env: { TERM: "dumb" } }],
    ["of a quiet batch", ["-q"], { stdin, stderrIsTerminal: true }],
    ["of help", ["--help"], {}],
    ["of a mistake", ["--nonsense"], {}],
  ])("are not there %s", async (_, args, options) => {
    const { stdout, stderr } = await runCli(args, options);
    expect(stdout + stderr).not.toContain("\u001b");
  });

  it("are there in a table on a terminal", async () => {
    expect((await runCli(["--explain", "bug_fixing"], { stdoutIsTerminal: true })).stdout).toContain("\u001b[32m");
  });
});
