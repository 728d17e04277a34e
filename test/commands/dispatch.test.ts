import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type CliOptions, runCli, temporaryFolder } from "../helpers/run-cli.js";
import { script, userWith } from "../helpers/scripts.js";
import { addFiles, folderWith } from "../io/temporary-files.js";

const alpha = (given: object) => ({ routes: [{ name: "alpha", description: "A", ...given }] });

/** Programs that write a file if they are ever run, and whether they were. */
function tripwire(): { readonly path: string; readonly ran: () => boolean } {
  const folder = temporaryFolder();
  return { path: script(`touch ${folder}/ran`, "tripwire", folder), ran: () => existsSync(join(folder, "ran")) };
}

describe("a prompt as an argument", () => {
  const hostile = [
    ...["$(touch x)", "`touch x`", "; touch x", "&& touch x", "| touch x", "> x", "a\ntouch x\n", "\r\n", "\t"],
    ...[
      "-rf",
      "--help",
      "--",
      "-",
      "%PATH%",
      "$PATH",
      "$0",
      "'",
      '"',
      "'\"$(touch x)\"'",
      "\\",
      "*",
      "~",
      "{a,b}",
      "!!",
    ],
    ...["{model}", "{route}", "{prompt}", "$&", "é🙂", "\u001b]52;c;eA==\u0007", "\u0001\u007f"],
  ];

  it.each(hostile)("arrives unchanged, as one argument, and nothing of it is run: %j", async (text) => {
    const cwd = temporaryFolder();
    const prompt = `${text} alpha ${text}`;
    const run = [["printf", "<%s>\\0", "--", "{prompt}", "end"]];
    const env = userWith(alpha({ run }));
    // printf takes its own -- for a piece of text as well, if a format came before.
    const { code, stdout, stderr } = await runCli(["-x", "--", prompt], { env, cwd });
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout.split("\0")).toEqual(["<-->", `<${prompt}>`, "<end>", ""]);
    expect(readdirSync(cwd)).toEqual([]);
  });

  it.each(hostile)("or as input is the same, byte for byte: %j", async (text) => {
    const cwd = temporaryFolder();
    const prompt = `${text} alpha ${text}`;
    const env = userWith(alpha({ run: [["cat"]] }));
    expect(await runCli(["-x", "--", prompt], { env, cwd })).toEqual({ code: 0, stdout: prompt, stderr: "" });
    expect(readdirSync(cwd)).toEqual([]);
  });

  it("alone on the line is data as well, even if it looks like an option of the command", async () => {
    const env = userWith({ ...alpha({}), other: { run: [["printf", "%s", "--", "{prompt}"]] } });
    for (const prompt of ["-rf", "--help", "$(touch x)"]) {
      expect((await runCli(["-x", "--", prompt], { env })).stdout).toBe(`--${prompt}`);
    }
  });

  it.each([
    ["E_NUL", "alpha \0", "the prompt has a NUL character"],
    ["E_TOO_LONG", `alpha ${"x".repeat(200_000)}`, "the prompt is too long for an argument"],
    ["E_TOO_LONG", `alpha ${"€".repeat(44_000)}`, "the prompt is too long for an argument"],
  ])("that no argument can hold is refused before anything is run: %s", async (_, prompt, message) => {
    const { path, ran } = tripwire();
    const env = userWith(alpha({ run: [[path], [path, "--", "{prompt}"]] }));
    for (const option of ["-x", "--dry-run"]) {
      const { code, stdout, stderr } = await runCli([option], { env, stdin: JSON.stringify({ prompt }) });
      expect([code, stdout, ran()]).toEqual([2, "", false]);
      expect(stderr).toMatch(/^arch-route: [^\n]+; leave \{prompt\} out of the command: standard input takes it\n$/);
      expect(stderr).toContain(message);
    }
  });

  it.each([
    ["a NUL", "alpha \0!"],
    ["200 kB", `alpha ${"x".repeat(200_000)}`],
  ])("may hold %s on standard input", async (_, prompt) => {
    const env = userWith(alpha({ run: [["cat"]] }));
    expect(await runCli(["-x"], { env, stdin: JSON.stringify({ prompt }) })).toEqual({
      code: 0,
      stdout: prompt,
      stderr: "",
    });
  });

  it("may be as long as an argument can be", async () => {
    const env = userWith(alpha({ run: [["printf", "%s", "--", "{prompt}"]] }));
    const prompt = `alpha ${"x".repeat(128 * 1024 - 1 - 6)}`;
    const { code, stdout } = await runCli(["-x"], { env, stdin: JSON.stringify({ prompt }) });
    expect([code, stdout.length]).toEqual([0, prompt.length + 2]);
  });
});

describe("a command that would not be safe", () => {
  const unsafe: [string, string][] = [
    ["the prompt within an argument", '[sh, -c, "--", "echo {prompt}"]'],
    ["the prompt before --", '[echo, "{prompt}", "--"]'],
    ["the prompt without --", '[echo, "{prompt}"]'],
    ["the prompt as the command", '["{prompt}"]'],
    ["a batch file", "[ask.cmd]"],
    ["a batch file in capitals", '["C:\\\\ASK.BAT"]'],
    ["a NUL", '[echo, "a\\0b"]'],
    ["no name", "[]"],
  ];
  const places: [string, (argv: string) => string, number][] = [
    ["run", (argv) => `routes:\n  - name: alpha\n    description: A\n    run:\n      - [cat]\n      - ${argv}\n`, 6],
    ["other", (argv) => `routes:\n  - {name: alpha, description: A}\nother:\n  run:\n    - ${argv}\n`, 5],
    ["command", (argv) => `routes:\n  - {name: alpha, description: A}\ncommand: ${argv}\n`, 3],
    ["warmup", (argv) => `routes:\n  - {name: alpha, description: A}\nwarmup: ${argv}\n`, 3],
  ];
  const cases = places.flatMap(([key, file, line]) =>
    unsafe.map(([what, argv]) => [what, key, file(argv), line] as const),
  );

  it.each(cases)("is refused with its place, and nothing is routed: %s in %s", async (_, key, text, line) => {
    const cwd = folderWith({ "user/arch-route/config.yaml": text });
    let opened = 0;
    const env = { XDG_CONFIG_HOME: join(cwd, "user") };
    const { code, stdout, stderr } = await runCli(["-x", "alpha"], { env, onOpen: () => opened++ });
    expect([code, stdout, opened]).toEqual([2, "", 0]);
    expect(stderr).toMatch(/^arch-route: [^\n]+\n$/);
    expect(stderr).toContain(`${cwd}/user/arch-route/config.yaml:${line}: `);
    expect(stderr).toContain(key);
  });
});

describe("a record of a batch", () => {
  it("cannot bring a command with it", async () => {
    const { path, ran } = tripwire();
    const routes = [{ name: "beta", description: "B", run: [[path]], model: "m" }];
    const record = { prompt: "beta", routes, run: [[path]], command: [path], other: { run: [[path]] } };
    const stdin = `${JSON.stringify(record)}\n`.repeat(2);
    await runCli(["-x"], { env: userWith({ ...alpha({ run: [["cat"]] }), command: ["cat"] }), stdin });
    expect(ran()).toBe(false);
  });
});

describe("a project's commands", () => {
  const file = (path: string) => `routes:
  - {name: alpha, description: A, run: [[${path}]]}
  - {name: beta, description: B, model: m}
command: [${path}, "{model}"]
warmup: [${path}]
other: {run: [[${path}]]}
`;
  const prompts = ["alpha", "beta", "hello"];

  /** A project whose commands are tripwires, and runs in it that share what was trusted. */
  function project(name = ".arch-route.yaml", write = file) {
    const wire = tripwire();
    const cwd = folderWith({ [name]: write(wire.path) });
    const state = temporaryFolder();
    const env = { XDG_STATE_HOME: state, XDG_CONFIG_HOME: state };
    return {
      ...wire,
      cwd,
      env,
      cli: (args: readonly string[], options: CliOptions = {}) => runCli(args, { cwd, env, ...options }),
    };
  }

  it.each([".arch-route.yaml", ".arch-route.yml", ".arch-route.json"])(
    "in %s are never run untrusted",
    async (name) => {
      const json = (path: string) =>
        JSON.stringify({ ...alpha({ run: [[path]] }), other: { run: [[path]] }, warmup: [path] });
      const { cli, ran } = project(name, name.endsWith("json") ? json : file);
      for (const prompt of prompts) {
        for (const options of [["-x"], ["--dry-run"], ["-x", "--json"]]) {
          const { code, stdout, stderr } = await cli([...options, prompt]);
          expect(stderr).toContain(
            ": not trusted: its commands and models are ignored; read it, then run arch-route trust",
          );
          expect(stdout).not.toContain("tripwire");
          expect(code).toBe(options.includes("--json") ? 8 : 2);
        }
      }
      const stdin = prompts.map((prompt) => `${JSON.stringify({ prompt })}\n`).join("");
      expect(await cli(["-x"], { stdin })).toMatchObject({ code: 8 });
      expect(ran()).toBe(false);
    },
  );

  it("of the route set that it names are never run untrusted", async () => {
    const wire = tripwire();
    const set = JSON.stringify({
      ...alpha({ run: [[wire.path]] }),
      other: { run: [[wire.path]] },
      command: [wire.path],
    });
    const cwd = folderWith({ ".arch-route.yaml": "routes: set.json", "set.json": set });
    for (const prompt of prompts) expect((await runCli(["-x", prompt], { cwd })).code).toBe(2);
    expect(wire.ran()).toBe(false);
  });

  it("are run once it is trusted, until it changes", async () => {
    const { cli, ran, cwd, path } = project();
    expect(await cli(["trust"])).toMatchObject({ code: 0 });
    expect(ran()).toBe(false);
    expect(await cli(["-x", "alpha"])).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(ran()).toBe(true);
    const other = tripwire();
    addFiles(cwd, { ".arch-route.yaml": file(other.path) });
    for (const prompt of prompts) expect(await cli(["-x", prompt])).toMatchObject({ code: 2 });
    expect(other.ran()).toBe(false);
    addFiles(cwd, { ".arch-route.yaml": `${file(path)}# one comment more\n` });
    expect(await cli(["-x", "alpha"])).toMatchObject({ code: 2 });
    addFiles(cwd, { ".arch-route.yaml": file(path) });
    expect(await cli(["-x", "alpha"])).toMatchObject({ code: 0 });
  });

  it("may not be replaced by what the user trusted elsewhere", async () => {
    const [mine, theirs] = [project(), project()];
    await mine.cli(["trust"]);
    const result = await runCli(["-x", "alpha"], { cwd: theirs.cwd, env: mine.env });
    expect([result.code, theirs.ran()]).toEqual([2, false]);
  });

  it("do not switch off the user's own", async () => {
    const { cwd, ran } = project(
      ".arch-route.yaml",
      (path) => `command: [${path}]\nother: {run: [[${path}]]}\nmin_confidence: 0.3\n`,
    );
    const env = userWith(alpha({ run: [["cat"]] }));
    const { code, stdout, stderr } = await runCli(["-x", "alpha"], { cwd, env });
    expect([code, stdout, ran()]).toEqual([0, "alpha", false]);
    expect(stderr).toContain("not trusted");
  });

  it("are not asked for by --help and --version, however broken the file", async () => {
    const { cli, ran, cwd } = project();
    addFiles(cwd, { ".arch-route.yaml": "routes: [" });
    for (const option of ["--help", "--version"]) {
      expect(await cli([option])).toMatchObject({ code: 0, stderr: "" });
    }
    expect((await cli(["x"])).code).toBe(2);
    expect(ran()).toBe(false);
  });
});

describe("hostile files", () => {
  const code = (path: string) => `require("child_process").execFileSync(${JSON.stringify(path)});
module.exports = { command: [${JSON.stringify(path)}] };`;
  const names = [".arch-route.js", ".arch-route.cjs", ".arch-route.mjs", ".arch-route.ts", "arch-route.config.js"];
  const others = [".arch-routerc", ".arch-routerc.js", ".config/config.js", ".config/arch-routerc.js", ".config.js"];

  it.each([...names, ...others])("that are code are never run: %s, here or above", async (name) => {
    const { path, ran } = tripwire();
    const here = folderWith({ [name]: code(path), "below/x": "" });
    for (const cwd of [here, join(here, "below")]) {
      for (const args of [["-x", "alpha"], ["alpha"], ["config"], ["--help"], ["routes"]]) await runCli(args, { cwd });
    }
    expect(ran()).toBe(false);
  });

  it.each(["package.json", "package.yaml"])("that are someone else's configuration are not ours: %s", async (name) => {
    const { path, ran } = tripwire();
    const cwd = folderWith({ [name]: JSON.stringify({ "arch-route": { command: [path], other: { run: [[path]] } } }) });
    expect(await runCli(["-x", "alpha"], { cwd })).toMatchObject({ code: 2, stdout: "" });
    expect(ran()).toBe(false);
  });

  it("above the repository are not looked at, above a folder outside of one neither", async () => {
    const { path, ran } = tripwire();
    const hostile = JSON.stringify({ other: { run: [[path]] }, min_confidence: 1, oops: 1 });
    const top = folderWith({ ".arch-route.yaml": hostile, "repo/.git/HEAD": "", "repo/a/b/x": "", "plain/a/x": "" });
    for (const cwd of ["repo/a/b", "repo/a", "repo", "plain/a", "plain"]) {
      const { code, stderr } = await runCli(["bug_fixing"], { cwd: join(top, cwd) });
      expect([code, stderr]).toEqual([0, ""]);
    }
    expect((await runCli(["bug_fixing"], { cwd: top })).code).toBe(2);
    expect(ran()).toBe(false);
  });

  it("within the repository count only as far as they are trusted", async () => {
    const { path, ran } = tripwire();
    const top = folderWith({ "repo/.git/HEAD": "", "repo/a/b/x": "" });
    writeFileSync(join(top, "repo/.arch-route.yaml"), JSON.stringify({ other: { run: [[path]] } }));
    const { code, stderr } = await runCli(["-x", "hello"], { cwd: join(top, "repo/a/b") });
    expect(code).toBe(2);
    expect(stderr).toContain(`${top}/repo/.arch-route.yaml: not trusted`);
    expect(ran()).toBe(false);
  });
});
