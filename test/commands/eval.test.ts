import { EventEmitter } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Config } from "../../src/io/config.js";
import { createFakeEngine } from "../helpers/fake-engine.js";
import { runCli, temporaryFolder } from "../helpers/run-cli.js";

interface Figures {
  readonly min_confidence: number;
  readonly accuracy: number;
  readonly interval: readonly [number, number];
  readonly macro_f1: number;
  readonly routes: readonly { route: string; precision: number; recall: number; f1: number; support: number }[];
  readonly confusion: readonly (readonly number[])[];
  readonly nll: number;
  readonly ece: number;
  readonly temperature: { readonly value: number; readonly nll: number; readonly ece: number };
}

const fixture = (name: string) => new URL(`../fixtures/${name}`, import.meta.url);
const labelled = fixture("labelled.jsonl").pathname;
const stored: Figures = JSON.parse(readFileSync(fixture("labelled.figures.json"), "utf8"));

function file(...rows: unknown[]): string {
  const path = join(temporaryFolder(), "rows.jsonl");
  writeFileSync(path, rows.map((row) => (typeof row === "string" ? row : JSON.stringify(row))).join("\n"));
  return path;
}
const right = { prompt: "bug_fixing", route: "bug_fixing" };
const wrong = { prompt: "bug_fixing", route: "api_help" };

describe("200 labelled lines give the figures of scikit-learn on the same predictions", async () => {
  const args = ["eval", labelled, "--json", "--min-confidence", String(stored.min_confidence)];
  const { code, stdout, stderr } = await runCli(args);
  const report = JSON.parse(stdout);

  it("without any error", () => {
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(report).toMatchObject({ records: 200, failed: 0, model: "fake" });
  });

  it("accuracy, its interval (statsmodels) and macro F1", () => {
    expect(report.accuracy).toBeCloseTo(stored.accuracy, 6);
    expect([report.interval.low, report.interval.high]).toEqual(
      stored.interval.map((bound) => expect.closeTo(bound, 6)),
    );
    expect(report.macro_f1).toBeCloseTo(stored.macro_f1, 6);
  });

  it.each(stored.routes)("$route", ({ route, precision, recall, f1, support }) => {
    const found = report.routes.find((entry: { route: string }) => entry.route === route);
    expect(found).toMatchObject({
      precision: expect.closeTo(precision, 6),
      recall: expect.closeTo(recall, 6),
      f1: expect.closeTo(f1, 6),
      support,
    });
  });

  it("the confusion matrix", () => {
    expect(report.confusion.counts).toEqual(stored.confusion);
  });

  it("calibration and temperature (numpy, scipy)", () => {
    const { ece, nll, temperature } = report.calibration;
    expect([ece, nll]).toEqual([expect.closeTo(stored.ece, 6), expect.closeTo(stored.nll, 6)]);
    expect(temperature).toEqual({
      value: expect.closeTo(stored.temperature.value, 4),
      nll: expect.closeTo(stored.temperature.nll, 6),
      ece: expect.closeTo(stored.temperature.ece, 4),
    });
  });

  it("misses that are themselves labelled records", async () => {
    const rows = file(...report.misses);
    const again = JSON.parse((await runCli(["eval", rows, "--json"])).stdout);
    expect(again.records).toBe(report.misses.length);
    expect(report.misses).toHaveLength(200 - report.turns.right);
  });
});

describe("labels on messages", () => {
  it("count turns, spans and conversations", async () => {
    const message = (content: string, route: string) => ({ role: "user", content, route });
    const rows = file(
      {
        messages: [
          message("bug_fixing", "bug_fixing"),
          message("api_help", "bug_fixing"),
          message("api_help", "api_help"),
        ],
      },
      right,
    );
    const { turns, spans, conversations, misses } = JSON.parse((await runCli(["eval", rows, "--json"])).stdout);
    expect([turns, spans, conversations].map((share) => `${share.right}/${share.count}`)).toEqual([
      "3/4",
      "2/3",
      "1/2",
    ]);
    expect(misses).toMatchObject([{ line: 1, turn: 2, expected: "bug_fixing", route: "api_help" }]);
    expect((await runCli(["eval", rows])).stdout).toMatch(/spans +66\.7 %/);
  });
});

describe("exit codes", () => {
  it.each<[string, string[], unknown[], number, RegExp]>([
    ["0", [], [right, wrong], 0, /^$/],
    ["1 under --fail-under", ["--fail-under", "0.6"], [right, wrong], 1, /accuracy 0\.5000 is under --fail-under 0\.6/],
    ["0 at --fail-under", ["--fail-under", "0.5"], [right, wrong], 0, /^$/],
    ["3 with rows that cannot be read", [], [right, "{bad"], 3, /rows\.jsonl:2: not valid JSON/],
    ["3 before 1", ["--fail-under", "1"], [wrong, "{bad"], 3, /--fail-under/],
    ["3 if nothing can be read", [], [{ prompt: "x" }], 3, /rows\.jsonl:1: \/: there is no label/],
    ["3 for an empty file", ["--fail-under", "0"], [], 3, /no labelled conversations/],
    [
      "3 for an unknown label",
      [],
      [{ prompt: "x", route: "poetry" }, right],
      3,
      /there is no route "poetry"; use one of/,
    ],
    ["2 for a share that is none", ["--fail-under", "1.5"], [right], 2, /number from 0 to 1/],
    ["2 for an empty share", ["--target-precision", ""], [right], 2, /number from 0 to 1/],
  ])("%s", async (_, args, rows, code, said) => {
    const result = await runCli(["eval", file(...rows), ...args]);
    expect(result.stderr).toMatch(said);
    expect(result.code).toBe(code);
  });

  it("3 for a file that is not there, 2 without a file", async () => {
    const missing = await runCli(["eval", "/nowhere.jsonl"]);
    expect(missing).toMatchObject({
      code: 3,
      stdout: "",
      stderr: expect.stringMatching(/nowhere\.jsonl: no such file/),
    });
    expect((await runCli(["eval"])).code).toBe(2);
  });

  it("3 with ten errors told at most", async () => {
    const { stderr } = await runCli(["eval", file(right, ...Array.from({ length: 30 }, () => "{bad"))]);
    expect(stderr.trim().split("\n")).toHaveLength(11);
    expect(stderr).toMatch(/and 20 more records/);
  });
});

describe("options", () => {
  it("--target-precision finds the threshold", async () => {
    const rows = file(
      { prompt: "bug_fixing=0.95", route: "bug_fixing" },
      { prompt: "bug_fixing=0.8", route: "api_help" },
    );
    const { threshold } = JSON.parse((await runCli(["eval", rows, "--json", "--target-precision", "1"])).stdout);
    expect(threshold).toEqual({ target_precision: 1, min_confidence: 0.9, precision: 1, coverage: 0.5 });
    const { stdout } = await runCli(["eval", rows, "--target-precision", "1"]);
    expect(stdout).toMatch(/min_confidence: 0\.9 gives a precision of 100\.0 % and routes 50\.0 %/);
  });

  it("--sweep-history compares parts of the conversation", async () => {
    const engine = createFakeEngine();
    const rows = file({
      messages: [
        { role: "user", content: "a" },
        { role: "user", content: "b" },
        { role: "user", content: "bug_fixing" },
      ],
      route: "bug_fixing",
    });
    const { histories } = JSON.parse((await runCli(["eval", rows, "--json", "--sweep-history"], { engine })).stdout);
    expect(histories.map((row: { history: unknown }) => row.history)).toEqual(["all", "last", 2]);
    expect(histories[0]).toMatchObject({ accuracy: 1, won: 0, lost: 0, p_value: 1 });
    expect(engine.calls.map(({ conversation }) => conversation.length)).toEqual([3, 3, 1, 2]);
  });

  it("--compare puts another route set beside this one, where it has the labels", async () => {
    const other = join(temporaryFolder(), "routes.json");
    writeFileSync(other, JSON.stringify({ routes: [{ name: "bug_fixing", description: "Bugs" }] }));
    const rows = file({ prompt: "api_help bug_fixing", route: "bug_fixing" }, wrong, right);
    const { comparison, accuracy } = JSON.parse((await runCli(["eval", rows, "--json", "--compare", other])).stdout);
    expect(accuracy).toBeCloseTo(2 / 3, 6);
    expect(comparison).toMatchObject({
      reference: other,
      own_accuracy: 1,
      accuracy: 1,
      count: 2,
      left_out: 1,
      won: 0,
      lost: 0,
    });
  });

  it.each([
    ["mini", "mini"],
    ["arch-router:q4_k_m", "arch-router:q4_k_m"],
  ])("--compare %s is another model", async (reference, model) => {
    const opened: (string | undefined)[] = [];
    await runCli(["eval", file(right), "--compare", reference, "--json"], {
      onOpen: (config) => opened.push(config.model),
    });
    expect(opened).toEqual([undefined, model]);
  });

  it("--sweep-cascade finds the margin from which on mini may decide", async () => {
    const rows = file(
      // What mini says, and how likely it is to it; the larger model knows the label.
      { prompt: "bug_fixing=0.9", route: "bug_fixing" },
      { prompt: "bug_fixing=0.3", route: "api_help" },
      { prompt: "bug_fixing=0.6", route: "bug_fixing" },
      { prompt: "bug_fixing=0.8", route: "bug_fixing" },
    );
    const labels = ["bug_fixing", "api_help", "bug_fixing", "bug_fixing"];
    const opened: (readonly [model: string | undefined, cascade: boolean])[] = [];
    const engine = ({ model, cascade }: Config) => {
      opened.push([model, cascade]);
      const fake = createFakeEngine();
      let next = 0;
      const known: typeof fake.rank = (routes) => fake.rank(routes, [{ role: "user", content: labels[next++] ?? "" }]);
      return { ...fake, model: model === "mini" ? "small" : "large", rank: model === "mini" ? fake.rank : known };
    };
    const args = ["eval", rows, "--sweep-cascade", "--cascade", "-m", "/models/large.gguf"];
    const { code, stdout, stderr } = await runCli([...args, "--json"], { engine });
    expect([code, stderr, opened]).toEqual([
      0,
      "",
      [
        ["/models/large.gguf", false],
        ["mini", false],
      ],
    ]);
    const { accuracy, model, cascade } = JSON.parse(stdout);
    expect({ accuracy, model }).toEqual({ accuracy: 1, model: "large" });
    expect(cascade.small).toEqual({ model: "small", count: 4, right: 3, accuracy: 0.75 });
    expect(cascade.large).toEqual({ count: 4, right: 4, accuracy: 1 });
    expect(cascade.points.map(({ sent_up, right }: Record<string, number>) => [sent_up, right])).toEqual([
      [0, 3],
      [0.25, 4],
      [0.5, 4],
      [0.75, 4],
      [1, 4],
    ]);
    expect(cascade.recommended).toMatchObject({ margin: 0.5, sent_up: 0.25, right: 4, won: 0, lost: 0, p_value: 1 });
    const { stdout: text } = await runCli(args, { engine });
    expect(text).toContain("cascade_margin: 0.5 sends 25.0 % up: 100.0 % right, 95 % interval 51.0 % to 100.0 %");
    expect(text).toContain("against large alone: the same turns right");
  });

  it("--sweep-cascade needs a larger model, and says so before it scores", async () => {
    const engine = createFakeEngine();
    for (const args of [[], ["-m", "mini"]]) {
      const { code, stdout, stderr } = await runCli(["eval", file(right), "--sweep-cascade", ...args], { engine });
      expect([code, stdout]).toEqual([2, ""]);
      expect(stderr).toMatch(/^arch-route: cascade: [^\n]+\n$/);
    }
    expect(engine.calls).toEqual([]);
  });

  it("--compare a model with a cascade takes the model alone", async () => {
    const opened: boolean[] = [];
    await runCli(["eval", file(right), "--cascade", "--compare", "mini"], {
      onOpen: ({ cascade }) => opened.push(cascade),
    });
    expect(opened).toEqual([true, false]);
  });

  it("-o takes the report, --html the page", async () => {
    const folder = temporaryFolder();
    const [json, html] = [join(folder, "report.json"), join(folder, "report.html")];
    const { stdout, code } = await runCli(["eval", file(right), "--json", "-o", json, "--html", html]);
    expect({ stdout, code }).toEqual({ stdout: "", code: 0 });
    expect(JSON.parse(readFileSync(json, "utf8")).accuracy).toBe(1);
    expect(readFileSync(html, "utf8")).toMatch(/^<!doctype html>/);
  });

  it.each(["-o", "--html"])("%s never writes over an input", async (option) => {
    const rows = file(right);
    const result = await runCli(["eval", rows, option, rows]);
    expect(result).toMatchObject({ code: 2, stderr: expect.stringMatching(/it is also an input/) });
    expect(readFileSync(rows, "utf8")).toBe(JSON.stringify(right));
  });

  it("reports what it has when it is interrupted", async () => {
    const signals = new EventEmitter();
    const engine = createFakeEngine({ onRank: (call) => void (call === 1 && signals.emit("SIGINT")) });
    const { code, stdout, stderr } = await runCli(["eval", file(right, right, right), "--json"], { engine, signals });
    expect(code).toBe(130);
    expect(JSON.parse(stdout).records).toBe(2);
    expect(stderr).toMatch(/interrupted after 2 records/);
  });

  it("shows on a terminal how far it is, on stderr only", async () => {
    const { stdout, stderr } = await runCli(["eval", file(right), "--json"], { stderrIsTerminal: true });
    expect(JSON.parse(stdout).records).toBe(1);
    expect(stderr).toMatch(/records/);
    expect((await runCli(["eval", file(right), "--json", "-q"], { stderrIsTerminal: true })).stderr).toBe("");
  });

  it("reads standard input as -", async () => {
    const { stdout } = await runCli(["eval", "-", "--json"], { stdin: `${JSON.stringify(right)}\n` });
    expect(JSON.parse(stdout).accuracy).toBe(1);
  });

  it("says which route sets the records brought", async () => {
    const own = { prompt: "verse", route: "verse", routes: [{ name: "verse", description: "Poems" }] };
    const report = JSON.parse((await runCli(["eval", file(own), "--json"])).stdout);
    expect(report.routes.map((entry: { route: string }) => entry.route)).toEqual(["verse", "other"]);
    expect(report.routes_from).toBe("the records");
  });
});
