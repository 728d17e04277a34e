import { PassThrough, Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { run } from "../src/cli.js";
import { packageVersion } from "../src/io/bundled.js";
import { type CliOptions, runCli } from "./helpers/run-cli.js";
import { folderWith } from "./io/temporary-files.js";

const jsonl = (...prompts: string[]) => prompts.map((prompt) => `${JSON.stringify({ prompt })}\n`).join("");

describe("run", () => {
  it("prints the route's name and nothing else", async () => {
    expect(await runCli(["fix", "bug_fixing"])).toEqual({ code: 0, stdout: "bug_fixing\n", stderr: "" });
  });

  it("prints the help on stderr if there is nothing to route and nobody pipes, at once", async () => {
    const started = Date.now();
    const { code, stdout, stderr } = await runCli([]);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^Examples:\n {2}arch-route "fix this bug"/);
    expect(Date.now() - started).toBeLessThan(1000);
  });

  it("has nothing to say of an empty pipe", async () => {
    expect(await runCli([], { stdin: "" })).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  it.each(["-h", "--help"])("prints the help on stdout for %s, examples first", async (flag) => {
    const { code, stdout, stderr } = await runCli([flag]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout.startsWith("Examples:\n")).toBe(true);
    for (const option of [
      "--routes",
      "--model",
      "--input",
      "--output",
      "--format",
      "--json",
      "--plain",
      "--top",
      "--explain",
    ]) {
      expect(stdout).toContain(option);
    }
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
  });

  it("prints the same help wherever it is asked for", async () => {
    const { stdout } = await runCli(["--help"]);
    expect((await runCli(["fix", "this", "--help"])).stdout).toBe(stdout);
    expect((await runCli([])).stderr).toBe(stdout);
    expect((await runCli(["routes", "import", "--help"])).stdout).toContain("<file>");
  });

  it("prints its version", async () => {
    expect(await runCli(["--version"])).toEqual({ code: 0, stdout: `${packageVersion()}\n`, stderr: "" });
  });

  it.each([["--help"], ["--version"], ["routes", "--help"], ["config", "--help"]])(
    "opens no model for %s",
    async (...args) => {
      let opened = 0;
      await runCli(args, { onOpen: () => opened++ });
      expect(opened).toBe(0);
    },
  );
});

describe("a command line that is wrong", () => {
  it.each([
    ["an unknown option", ["--nonsense", "x"], "--nonsense"],
    ["a prompt that begins with a dash", ["-fix this"], "--"],
    ["an option without its value", ["--top"], "--top"],
    ["a format that is none", ["--format", "xml", "x"], "xml"],
    ["no candidates", ["--top", "0", "x"], "--top"],
    ["a part of a candidate", ["--top", "1.5", "x"], "--top"],
    ["candidates in words", ["--top", "two", "x"], "--top"],
    ["no bytes", ["--max-record-bytes", "0", "x"], "--max-record-bytes"],
    ["--json and --plain", ["--json", "--plain", "x"], "--plain"],
    ["--json and --explain", ["--json", "--explain", "x"], "--explain"],
    ["--plain and --explain", ["--plain", "--explain", "x"], "--explain"],
    ["a threshold that is none", ["--min-confidence", "2", "x"], "--min-confidence 2: must be a number from 0 to 1"],
    ["a margin that is none", ["--min-margin", "x", "x"], "--min-margin x: must be a number from 0 to 1"],
    ["an empty threshold", ["--min-confidence", "", "x"], "--min-confidence"],
    ["a history that is none", ["--history", "some", "x"], "--history some: must be"],
    ["no threads", ["--threads", "0", "x"], "--threads 0: must be a whole number from 1 up"],
    ["a tiny context", ["--context", "5", "x"], "--context 5: must be a whole number from 512 up"],
    ["a graphics card that is none", ["--gpu", "voodoo", "x"], "--gpu voodoo"],
    ["a way to write Unicode that is none", ["--unicode", "utf8", "x"], "--unicode utf8"],
    ["an empty prompt", [""], "the prompt is empty"],
    ["a prompt as JSON", ["--format", "json", "x"], "--format json: a prompt on the command line is text"],
    ["a route set that is not there", ["-r", "nowhere", "x"], "no such file"],
    ["words after a command", ["routes", "are", "broken"], "arch-route: "],
    ["words after config", ["config", "is", "broken"], "arch-route: "],
    ["an import of nothing", ["routes", "import"], "file"],
  ])("%s: 2, one line on stderr, nothing on stdout", async (_, args, message) => {
    let opened = 0;
    const { code, stdout, stderr } = await runCli(args, { onOpen: () => opened++ });
    expect({ code, stdout, opened }).toEqual({ code: 2, stdout: "", opened: 0 });
    expect(stderr).toMatch(/^arch-route: [^\n]+\n$/);
    expect(stderr).toContain(message);
  });

  it("is explained by what to do", async () => {
    expect((await runCli(["--nonsense"])).stderr).toMatch(/; .*--/);
  });

  it("shows a stack with -v only", async () => {
    expect((await runCli(["-r", "nowhere", "x"])).stderr).not.toContain("    at ");
    expect((await runCli(["-v", "-r", "nowhere", "x"])).stderr).toContain("    at ");
  });
});

describe("exit codes", () => {
  const bad = folderWith({ ".arch-route.yaml": "routes: []" });

  it.each<[number, string, string[], CliOptions]>([
    [0, "a route", ["bug_fixing"], {}],
    [0, "other", ["x"], {}],
    [0, "unsure", ["--min-confidence", "1", "bug_fixing"], {}],
    [0, "a batch", [], { stdin: jsonl("bug_fixing", "x") }],
    [1, "no route, required", ["--require-route", "x"], {}],
    [1, "no route in a batch, required", ["--require-route"], { stdin: jsonl("bug_fixing", "x") }],
    [2, "no input", [], {}],
    [2, "a bad configuration", ["x"], { cwd: bad }],
    [2, "a bad configuration, whatever is piped", [], { cwd: bad, stdin: "oops" }],
    [2, "a bad variable", ["x"], { env: { ARCH_ROUTE_HISTORY: "0" } }],
    [2, "nothing to trust", ["trust"], {}],
    [3, "a file that is not there", ["-i", "/nowhere/x"], {}],
    [3, "no JSON", ["--format", "json"], { stdin: "oops" }],
    [3, "a bad record among good ones, and no route", ["--require-route"], { stdin: `${jsonl("a", "b")}oops\n` }],
    [6, "an output that cannot be written", ["-o", "/nowhere/x", "x"], {}],
  ])("%i: %s", async (code, _, args, options) => {
    expect((await runCli(args, options)).code).toBe(code);
  });
});

describe("streams", () => {
  it("keeps results on stdout and the rest on stderr", async () => {
    const { stdout, stderr } = await runCli(["--format", "lines"], {
      stdin: Buffer.from("bug_fixing\n\xff\nx\n", "latin1"),
    });
    expect(stdout).toBe("bug_fixing\n\nother\n");
    expect(stderr).toBe("arch-route: -:2: not valid UTF-8 (line 2, byte 1)\narch-route: 1 of 3 records failed\n");
  });

  it("goes on without a stderr", async () => {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    stderr.destroy();
    const io = {
      stdin: Object.assign(Readable.from([]), { isTTY: true }),
      stdout,
      stderr,
      env: { HOME: "/nowhere", XDG_CONFIG_HOME: "/nowhere" },
      cwd: () => folderWith({}),
      pid: 1,
      on: () => undefined,
      off: () => undefined,
      kill: () => undefined,
    };
    expect(await run(["node", "arch-route", "--nonsense"], io)).toBe(2);
    expect(await run(["node", "arch-route", "routes"], io)).toBe(0);
    expect(String(stdout.read())).toContain("bug_fixing");
  });

  it("says nothing if quiet but what is wrong", async () => {
    const cwd = folderWith({ ".arch-route.yaml": "command: [rm]" });
    expect((await runCli(["x"], { cwd })).stderr).toContain("not trusted");
    expect(await runCli(["-q", "x"], { cwd })).toEqual({ code: 0, stdout: "other\n", stderr: "" });
    expect((await runCli(["-q", "-r", "nowhere", "x"], { cwd })).stderr).toContain("no such file");
  });

  it("takes options before and after the prompt and the command", async () => {
    expect((await runCli(["fix", "--json", "bug_fixing"])).stdout).toContain('"route":"bug_fixing"');
    expect((await runCli(["routes", "--json"])).stdout).toBe((await runCli(["--json", "routes"])).stdout);
  });

  it("takes everything after -- for the prompt", async () => {
    const { stdout } = await runCli(["--json", "--top", "1", "--", "--plain", "-x", "bug_fixing"]);
    expect(JSON.parse(stdout)).toMatchObject({ route: "bug_fixing" });
    for (const name of ["config", "routes", "trust"]) {
      expect((await runCli(["--", name, "bug_fixing"])).stdout).toBe("bug_fixing\n");
    }
  });
});
