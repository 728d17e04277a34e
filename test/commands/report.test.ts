import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import type { RouteOptions } from "../../src/commands/options.js";
import { createReport } from "../../src/commands/report.js";
import { ArchRouteError } from "../../src/core/errors.js";
import type { Routing } from "../../src/core/router.js";
import { streamOutput } from "../../src/io/output.js";
import type { Streams } from "../../src/io/streams.js";
import type { Failed, Routed } from "../../src/ui/format.js";

const routing = (route: string, outcome: Routing["outcome"] = "matched"): Routing => ({
  route,
  outcome,
  confidence: 0.9,
  margin: 0.85,
  ranking: [
    { route: "a", probability: 0.9 },
    { route: "other", probability: 0.05 },
    { route: "b", probability: 0.05 },
  ],
  model: "fake",
  tokens: { prompt: 10, cached: 0 },
  trimmed: false,
});
const matched: Routed = { routing: routing("a") };
const other: Routed = { routing: routing("other", "other") };
const unsure: Routed = { routing: routing("other", "unsure") };
const failed = (code: ArchRouteError["code"] = "E_JSON"): Failed => ({
  line: 7,
  error: new ArchRouteError(code, "oops"),
});

function setUp(
  given: Partial<RouteOptions> = {},
  batch = true,
  terminal: { stdout?: boolean; stderr?: boolean; env?: object } = {},
) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const io = {
    stdout: Object.assign(stdout, { isTTY: terminal.stdout ?? false, columns: 80 }),
    stderr: Object.assign(stderr, { isTTY: terminal.stderr ?? false, columns: 80 }),
    env: { ...terminal.env },
  } as unknown as Streams;
  const options: RouteOptions = { format: "auto", maxRecordBytes: 1000, jobs: 1, maxOutputBytes: 1000, ...given };
  const report = createReport(options, streamOutput(stdout), io, batch);
  const printed = (stream: PassThrough) => String(stream.read() ?? "");
  return { report, out: () => printed(stdout), err: () => printed(stderr) };
}

const text = { source: "-", line: 7, format: "text" } as const;
const lines = { source: "-", line: 7, format: "lines" } as const;
const jsonl = { source: "-", line: 7, format: "jsonl" } as const;

describe("a report", () => {
  it.each([
    ["text: the name", {}, false, text, "a\n"],
    ["lines: the name", {}, true, lines, "a\n"],
    ["JSON: JSON", {}, false, { source: "-", line: 7, format: "json" } as const, /^\{"route":"a",.*\}\n$/],
    ["JSONL: JSON", {}, true, jsonl, /^\{"route":"a",.*\}\n$/],
    ["text with --json: JSON", { json: true }, false, text, /^\{"route":"a",.*\}\n$/],
    ["JSONL with --plain: the name", { plain: true }, true, jsonl, "a\n"],
    ["text with --top: a candidate a line", { top: 2 }, false, text, "a\t0.900\nother\t0.050\n"],
    ["lines with --top: the candidates on one line", { top: 2 }, true, lines, "a\t0.900\tother\t0.050\n"],
    ["JSONL with --plain --top: the same", { top: 2, plain: true }, true, jsonl, "a\t0.900\tother\t0.050\n"],
    [
      "JSONL with --top: as many in the ranking",
      { top: 1 },
      true,
      jsonl,
      /"ranking":\[\{"route":"a","probability":0.9\}\],/,
    ],
    ["--explain: a table, even of JSONL", { explain: true }, true, jsonl, /^a {7}90\.0 % {2}█+/],
  ] as const)("prints of %s", async (_, options, batch, origin, expected) => {
    const { report, out, err } = setUp(options, batch);
    await report.add(matched, origin);
    const printed = out();
    if (typeof expected === "string") expect(printed).toBe(expected);
    else expect(printed).toMatch(expected);
    expect(err()).toBe("");
  });

  it.each([
    ["text: nothing, and the error", {}, false, text, "", "arch-route: oops\n"],
    [
      "JSON: an object, and the error",
      {},
      false,
      { source: "-", line: 7, format: "json" } as const,
      '{"line":7,"error":{"code":"E_JSON","message":"oops"}}\n',
      "arch-route: oops\n",
    ],
    ["lines: an empty line, and where", {}, true, lines, "\n", "arch-route: -:7: oops\n"],
    ["JSONL: an object", {}, true, jsonl, '{"line":7,"error":{"code":"E_JSON","message":"oops"}}\n', ""],
    ["JSONL with --plain: an empty line, and where", { plain: true }, true, jsonl, "\n", "arch-route: -:7: oops\n"],
    ["JSONL with --explain: an empty line, and where", { explain: true }, true, jsonl, "\n", "arch-route: -:7: oops\n"],
  ] as const)("prints of a failed record of %s", async (_, options, batch, origin, stdout, stderr) => {
    const { report, out, err } = setUp(options, batch);
    await report.add(failed(), origin);
    expect([out(), err()]).toEqual([stdout, stderr]);
  });

  it("names the file of a failed record, without what a terminal might obey", async () => {
    const { report, err } = setUp();
    await report.add(failed(), { source: "\u001b]52;c;aGk=\u0007$&a\u009bb.txt", line: 7, format: "lines" });
    expect(err()).toBe("arch-route: $&ab.txt:7: oops\n");
  });

  it.each([
    ["nothing special", [matched, other, unsure], {}, 0],
    ["no route, not asked for", [other], {}, 0],
    ["no route, asked for", [matched, other], { requireRoute: true }, 1],
    ["an unsure one, asked for a route", [unsure], { requireRoute: true }, 1],
    ["a bad record", [failed()], {}, 3],
    ["a bad record and no route, asked for", [other, failed("E_UTF8")], { requireRoute: true }, 3],
    ["a model that died after a bad record", [failed(), failed("E_MODEL_DIED")], {}, 4],
    ["a model that died before a bad record", [failed("E_MODEL_DIED"), failed("E_SHAPE")], {}, 4],
    ["a file that could not be read", [failed("E_READ"), matched], {}, 3],
  ] as const)("sums up %s", async (_, results, options, code) => {
    const { report } = setUp(options);
    for (const result of results) await report.add(result, jsonl);
    expect(await report.finish()).toBe(code);
  });

  it("lets a signal go before all else", async () => {
    const { report, err } = setUp();
    await report.add(failed("E_MODEL_DIED"), jsonl);
    expect(await report.finish({ interrupted: 130 })).toBe(130);
    expect(err()).toBe("arch-route: 1 of 1 records failed\narch-route: interrupted after 1 records, at -:7\n");
  });

  it.each([
    ["nothing of a run that came to its end", {}, ""],
    ["where an interrupt came", { interrupted: 143 }, "interrupted after 3 records, at b\\n.jsonl:9"],
    ["why it stopped, and where", { stopped: "enough" }, "stopped after 3 records, at b\\n.jsonl:9: enough"],
    ["how to go on after an interrupt", { interrupted: 130, goOn: "x" }, "interrupted after 3 records; go on with x"],
    [
      "why it stopped, and how to go on",
      { stopped: "enough", goOn: "x" },
      "stopped after 3 records: enough; go on with x",
    ],
  ])("says %s", async (_, ending, said) => {
    const { report, err } = setUp();
    report.recall({ outcome: "matched" });
    await report.add(matched, jsonl);
    await report.add(matched, { ...jsonl, source: "b\n.jsonl", line: 9 });
    await report.finish(ending);
    expect(err()).toBe(said === "" ? "" : `arch-route: ${said.replace("\\n", " ")}\n`);
  });

  it("says where it stopped before the first record", async () => {
    const { report, err } = setUp();
    await report.finish({ interrupted: 130 });
    expect(err()).toBe("arch-route: interrupted after 0 records\n");
  });

  it.each([
    ["a bad record", { outcome: "E_SHAPE" }, {}, 3, "arch-route: 1 of 2 records failed\n"],
    ["no answer", { outcome: "E_MODEL_DIED" }, {}, 4, "arch-route: 1 of 2 records failed\n"],
    ["no route, asked for", { outcome: "unsure" }, { requireRoute: true }, 1, ""],
    ["no route, not asked for", { outcome: "other" }, {}, 0, ""],
    ["a command that failed", { outcome: "matched", command: "3" }, {}, 8, ""],
    ["a command that succeeded", { outcome: "matched", command: "0" }, {}, 0, ""],
  ] as const)("counts what an earlier run printed: %s", async (_, note, options, code, said) => {
    const { report, out, err } = setUp(options);
    report.recall(note);
    await report.add(matched, jsonl);
    out();
    expect([await report.finish(), out(), err()]).toEqual([code, "", said]);
  });

  it.each([
    ["in a batch", true, {}, "arch-route: 1 of 2 records failed\n"],
    ["of a single routing not", false, {}, ""],
    ["in a quiet batch not", true, { quiet: true }, ""],
  ])("counts the failed %s", async (_, batch, options, expected) => {
    const { report, err } = setUp(options, batch);
    await report.add(matched, jsonl);
    await report.add(failed(), { source: "-", line: 7, format: batch ? "jsonl" : undefined });
    err();
    await report.finish();
    expect(err()).toBe(expected);
  });

  it.each([
    ["on a terminal while results go elsewhere", {}, { stderr: true }, true],
    ["on a terminal while results go to a file", { output: "out" }, { stderr: true, stdout: true }, true],
    ["where results are printed not", {}, { stderr: true, stdout: true }, false],
    ["in a file not", {}, {}, false],
    ["if quiet not", { quiet: true }, { stderr: true }, false],
    ["on a dumb terminal not", {}, { stderr: true, env: { TERM: "dumb" } }, false],
  ])("shows progress %s", async (_, options, terminal, expected) => {
    const { report, err } = setUp(options, true, terminal);
    await report.add(matched, jsonl);
    await report.finish();
    const printed = err();
    expect(printed.includes("1 records")).toBe(expected);
    if (!expected) expect(printed).toBe("");
  });
});
