import { join } from "node:path";
import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { readRequest } from "../../src/commands/gather.js";
import type { RouteOptions } from "../../src/commands/options.js";
import type { Streams } from "../../src/io/streams.js";
import { createFakeEngine } from "../helpers/fake-engine.js";
import { runCli } from "../helpers/run-cli.js";
import { folderWith } from "../io/temporary-files.js";

const streams = (isTTY: boolean) => ({ stdin: Object.assign(Readable.from([]), { isTTY }) }) as unknown as Streams;
const options = (given: Partial<RouteOptions> = {}): RouteOptions => ({
  format: "auto",
  maxRecordBytes: 1000,
  jobs: 1,
  maxOutputBytes: 1000,
  ...given,
});

/** What the engine was asked: the text of the last message of each conversation. */
async function asked(args: readonly string[], stdin?: string | Buffer | Readable, cwd?: string): Promise<string[]> {
  const engine = createFakeEngine();
  const result = await runCli(args, { engine, ...(stdin !== undefined && { stdin }), ...(cwd && { cwd }) });
  expect(result).toMatchObject({ code: 0, stderr: "" });
  return engine.calls.map(({ conversation }) => conversation.at(-1)?.content ?? "");
}

describe("readRequest", () => {
  it.each([
    ["words at a terminal", ["fix", "this"], {}, true, { words: "fix this", sources: [] }],
    ["words and a pipe", ["fix"], {}, false, { words: "fix", sources: ["-"] }],
    ["a pipe", [], {}, false, { words: "", sources: ["-"] }],
    ["a pipe, asked for", ["-"], {}, false, { words: "", sources: ["-"] }],
    ["a terminal, asked for", ["-"], {}, true, { words: "", sources: ["-"] }],
    ["words around -", ["fix", "-", "this"], {}, false, { words: "fix this", sources: ["-"] }],
    ["files at a terminal", [], { input: ["a", "b"] }, true, { words: "", sources: ["a", "b"] }],
    ["files, whatever the pipe", [], { input: ["a", "b"] }, false, { words: "", sources: ["a", "b"] }],
    ["files and -", ["-"], { input: ["a"] }, false, { words: "", sources: ["a", "-"] }],
    ["- among the files", [], { input: ["a", "-", "b"] }, true, { words: "", sources: ["a", "-", "b"] }],
    ["a file named twice, once", [], { input: ["a", "a"] }, true, { words: "", sources: ["a"] }],
    ["files and words", ["fix"], { input: ["a"] }, true, { words: "fix", sources: ["a"] }],
    ["words as text", ["fix"], { format: "text" }, true, { words: "fix", sources: [] }],
    ["nothing", [], {}, true, undefined],
  ] as const)("%s", (_, words, given, isTTY, expected) => {
    expect(readRequest(words, options(given), streams(isTTY))).toEqual(expected);
  });

  it.each(["", " ", "\n\t"])("refuses the empty prompt %j", (word) => {
    expect(() => readRequest([word], options(), streams(true))).toThrow("the prompt is empty");
  });

  it.each(["json", "jsonl", "lines"] as const)("refuses words as %s", (format) => {
    expect(() => readRequest(["fix"], options({ format }), streams(true))).toThrow(`--format ${format}: `);
  });
});

describe("what is routed", () => {
  it("is the words, joined by spaces", async () => {
    expect(await asked(["fix", "this  bug"])).toEqual(["fix this  bug"]);
  });

  it("is what is piped, without the newlines at its end", async () => {
    expect(await asked([], "one\ntwo\n\n")).toEqual(["one\ntwo"]);
  });

  it("is what is piped, a blank line, then the words", async () => {
    expect(await asked(["review", "this"], "diff --git\n+x\n")).toEqual(["diff --git\n+x\n\nreview this"]);
    expect(await asked(["-", "review"], "diff\n")).toEqual(["diff\n\nreview"]);
  });

  it("is the words alone if the pipe is empty", async () => {
    expect(await asked(["review"], "")).toEqual(["review"]);
    expect(await asked(["review"], "\n \n")).toEqual(["review"]);
  });

  it("is the files' text, then the pipe's if asked for, then the words", async () => {
    const cwd = folderWith({ a: "A\n", "b.json": '{"prompt": "B"}\n' });
    const [a, b] = [join(cwd, "a"), join(cwd, "b.json")];
    expect(await asked(["-i", a, b, "--", "why"], "piped")).toEqual(['A\n\n{"prompt": "B"}\n\nwhy']);
    expect(await asked(["-i", a, "--", "-", "why"], "piped\n")).toEqual(["A\n\npiped\n\nwhy"]);
  });

  it("takes what is piped for text beside words, even JSONL", async () => {
    const stdin = '{"prompt":"a"}\n{"prompt":"b"}\n';
    expect(await asked(["explain"], stdin)).toEqual([`${stdin.trimEnd()}\n\nexplain`]);
  });

  it.each([
    ["a file that is not there", ["-i", "/nowhere/a", "--", "why"], "", 3, "/nowhere/a: no such file"],
    ["a pipe that is no text", ["why"], Buffer.from([0xff]), 3, "not valid UTF-8"],
    ["a pipe that is too long", ["--max-record-bytes", "10", "why"], "x".repeat(11), 3, "more than 10 bytes"],
  ])("is nothing if the words stand beside %s", async (_, args, stdin, code, message) => {
    const engine = createFakeEngine();
    const result = await runCli(args, { stdin, engine });
    expect(result).toMatchObject({ code, stdout: "", stderr: expect.stringContaining(message) });
    expect(engine.calls).toEqual([]);
  });

  it("says after a while that it waits for the pipe to end", async () => {
    async function* slow(): AsyncGenerator<Buffer> {
      await new Promise((resolve) => setTimeout(resolve, 3300));
      yield Buffer.from("bug_fixing");
    }
    const { stdout, stderr } = await runCli(["why"], { stdin: Readable.from(slow()) });
    expect(stdout).toBe("bug_fixing\n");
    expect(stderr).toBe("arch-route: waiting for the end of standard input; without any, add </dev/null\n");
  });
});
