import { EventEmitter } from "node:events";
import { appendFileSync, existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import type { Engine } from "../../src/core/engine.js";
import { ArchRouteError } from "../../src/core/errors.js";
import { createFakeEngine } from "../helpers/fake-engine.js";
import { type CliOptions, type CliResult, runCli, temporaryFolder } from "../helpers/run-cli.js";
import { script, userWith } from "../helpers/scripts.js";
import { addFiles, folderWith } from "../io/temporary-files.js";

const jsonl = (...values: unknown[]) => values.map((value) => `${JSON.stringify(value)}\n`).join("");
const prompts = ["bug_fixing", "hello", "api_help", "programming", "bug_fixing=0.5", "ä€😀"];
/** Records 1, 2, …, of which every fifth is bad. */
const records = (count: number) =>
  Array.from({ length: count }, (_, index) =>
    index % 5 === 4 ? `{"id":${index + 1}\n` : jsonl({ id: index + 1, prompt: prompts[index % 6] }),
  ).join("");
const read = (path: string) => readFileSync(path, "utf8");

/** The fake engine, whose answer depends on the record alone. `onRank` is told how many calls came before. */
function steady(
  onRank: (call: number) => void = () => undefined,
  delay = 0,
): Engine & { readonly calls: () => number } {
  const engine = createFakeEngine({ onRank, delay });
  return {
    ...engine,
    calls: () => engine.calls.length,
    rank: async (routes, conversation) => ({
      ...(await engine.rank(routes, conversation)),
      tokens: { prompt: 10, cached: 5 },
    }),
  };
}

/** A folder with an input, and runs of it there. */
function workplace(input = records(12), args: readonly string[] = []) {
  const cwd = folderWith({ "in.jsonl": input });
  const at = (name: string) => join(cwd, name);
  const run = async (more: readonly string[] = [], options: CliOptions = {}): Promise<CliResult> =>
    await runCli(["-i", at("in.jsonl"), "-o", at("out"), ...args, ...more], { engine: steady(), ...options });
  /** A run that is interrupted when so many records were asked for. */
  const stopAt = async (call: number, more: readonly string[] = []): Promise<CliResult> => {
    const signals = new EventEmitter();
    const engine = steady((calls) => void (calls === call - 1 && signals.emit("SIGINT")));
    return await run(more, { signals, engine });
  };
  return { cwd, at, run, stopAt, files: () => readdirSync(cwd).sort() };
}

/** What an unbroken run writes, and its exit code. */
async function unbroken(input = records(12), args: readonly string[] = []) {
  const { run, at } = workplace(input, args);
  const { code } = await run();
  return { code, text: read(at("out")) };
}

describe("a batch into a file", () => {
  it("leaves nothing beside it when it is complete", async () => {
    const { run, files, at } = workplace();
    expect(await run()).toEqual({ code: 3, stdout: "", stderr: "arch-route: 2 of 12 records failed\n" });
    expect(files()).toEqual(["in.jsonl", "out"]);
    expect(read(at("out")).split("\n")).toHaveLength(13);
  });

  it("that was interrupted says how to go on, and does", async () => {
    const { run, stopAt, files, at } = workplace();
    const { code, stderr } = await stopAt(6);
    const command = `arch-route -i ${at("in.jsonl")} -o ${at("out")} --resume`;
    expect(code).toBe(130);
    expect(stderr).toBe(
      `arch-route: 1 of 7 records failed\narch-route: interrupted after 7 records; go on with ${command}\n`,
    );
    expect(files()).toEqual(["in.jsonl", "out", "out.journal"]);
    const engine = steady();
    expect(await run(["--resume"], { engine })).toMatchObject({
      code: 3,
      stderr: "arch-route: 2 of 12 records failed\n",
    });
    expect(engine.calls()).toBe(4);
    expect(read(at("out"))).toBe((await unbroken()).text);
  });

  it("names the same command, with --resume before -- and once", async () => {
    const { stopAt, at } = workplace();
    expect((await stopAt(2, ["--resume", "--"])).stderr).toContain(`-o ${at("out")} --resume --\n`);
    const signals = new EventEmitter();
    const engine = steady(() => signals.emit("SIGINT"));
    const given = ["--format", "jsonl", "-o", at("it's"), "--", "-"];
    expect((await runCli(given, { stdin: records(9), signals, engine })).stderr).toMatch(
      /; go on with arch-route --format jsonl -o '\S+it'\\''s' --resume -- -, and the same input\n$/,
    );
  });

  it("is interrupted at any record, and gone on with, once or often", async () => {
    const { code, text } = await unbroken();
    for (let call = 1; call <= 10; call++) {
      const { run, stopAt, at } = workplace();
      expect((await stopAt(call)).code).toBe(130);
      if (call % 2 === 0) await stopAt(1, ["--resume"]);
      expect([call, (await run(["--resume"])).code, read(at("out"))]).toEqual([call, code, text]);
    }
  });

  it("does not lose what is done without --resume", async () => {
    const { run, stopAt, at, files } = workplace();
    await stopAt(3);
    const before = [read(at("out")), read(at("out.journal"))];
    for (const args of [[], ["--show-prompt"], ["--format", "text"]]) {
      expect(await run(args)).toEqual({
        code: 2,
        stdout: "",
        stderr: `arch-route: ${at("out")}: its journal has 3 records that are done; go on with --resume, or remove ${at("out.journal")}\n`,
      });
    }
    expect((await runCli(["-o", at("out")], { stdin: "" })).code).toBe(2);
    expect([read(at("out")), read(at("out.journal"))]).toEqual(before);
    expect(files()).toEqual(["in.jsonl", "out", "out.journal"]);
  });

  it("with --resume keeps its journal, so that a log which has grown is routed further", async () => {
    const { run, at, files } = workplace(records(7));
    expect((await run(["--resume"])).code).toBe(3);
    expect(files()).toEqual(["in.jsonl", "out", "out.journal"]);
    writeFileSync(at("in.jsonl"), records(12));
    const engine = steady();
    expect((await run(["--resume"], { engine })).code).toBe(3);
    expect([engine.calls(), read(at("out"))]).toEqual([4, (await unbroken()).text]);
    expect((await run(["--resume"], { engine })).code).toBe(3);
    expect(engine.calls()).toBe(4);
  });

  it("is the same from standard input, of any form, in names and in tables", async () => {
    for (const args of [
      ["--plain"],
      ["--plain", "--top", "2"],
      ["--explain"],
      ["--json"],
      ["--min-confidence", "0.6"],
    ]) {
      const { text } = await unbroken(records(8), args);
      const { stopAt, at } = workplace(records(8), args);
      await stopAt(3);
      const stdin = records(8);
      const again = ["--format", "auto", "-o", at("out"), ...args, "--resume"];
      await runCli(again, { stdin, engine: steady() });
      expect([args, read(at("out"))]).toEqual([args, text]);
    }
  });

  it("has none where no file is", async () => {
    for (const target of ["/dev/null", "/dev/full"]) {
      const { code } = await runCli(["-o", target], { stdin: records(3), engine: steady() });
      expect([code, existsSync(`${target}.journal`)]).toEqual([target === "/dev/full" ? 6 : 0, false]);
    }
  });

  it("is put where it was before by a model that cannot be had", async () => {
    const { run, stopAt, at, files } = workplace();
    await stopAt(3);
    const before = [read(at("out")), read(at("out.journal"))];
    const onOpen = () => {
      throw new ArchRouteError("E_MODEL", "there is none");
    };
    expect(await run(["--resume"], { onOpen })).toMatchObject({ code: 4 });
    expect([read(at("out")), read(at("out.journal"))]).toEqual(before);
    expect(files()).toEqual(["in.jsonl", "out", "out.journal"]);
  });
});

describe("--resume is refused", () => {
  it.each<[string, string[], CliOptions, string]>([
    [
      "without an output",
      ["-i", "x.jsonl", "--resume"],
      {},
      "--resume: there is no --output to go on with; give the file",
    ],
    ["without an output, changed too", ["--resume-changed"], { stdin: "x" }, "--resume: there is no --output"],
    ["for one conversation", ["-o", "out", "--resume", "hello"], {}, "--resume: one conversation is no batch; "],
    ["for a device", ["-o", "/dev/null", "--resume"], { stdin: records(2) }, "--resume: /dev/null is no file; "],
  ])("%s", async (_, args, options, message) => {
    const { code, stdout, stderr } = await runCli(args, { engine: steady(), ...options });
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(new RegExp(`^arch-route: ${message}[^\\n]*\\n$`));
  });

  it("over results that have no journal", async () => {
    const { run, at } = workplace();
    writeFileSync(at("out"), "precious\n");
    expect(await run(["--resume"])).toMatchObject({ code: 2, stderr: expect.stringContaining("holds results, but") });
    expect(read(at("out"))).toBe("precious\n");
  });

  it("while another run writes there", async () => {
    const { run } = workplace();
    const other: { result?: Promise<CliResult> } = {};
    const engine = steady((call) => {
      if (call === 2) other.result = run(["--resume"]);
    }, 20);
    expect((await run(["--resume"], { engine })).code).toBe(3);
    expect(await other.result).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`process ${process.pid} is writing it`),
    });
  });
});

describe("what changed since the journal", () => {
  /** A batch that was stopped after four of its records, and what is there then. */
  async function stopped(args: readonly string[] = []) {
    const place = workplace(records(12), args);
    await place.stopAt(4);
    const before = [read(place.at("out")), read(place.at("out.journal"))];
    return {
      ...place,
      isUntouched: () => expect([read(place.at("out")), read(place.at("out.journal"))]).toEqual(before),
    };
  }
  const lines = records(12).split("\n").slice(0, -1);
  const changes: [string, (line: string, index: number) => string | string[], string][] = [
    [
      "a record",
      (line, index) => (index === 2 ? line.replace("api_help", "other") : line),
      "record 3 (in.jsonl:3) changed",
    ],
    ["a space", (line, index) => (index === 0 ? `${line} ` : line), "record 1 (in.jsonl:1) changed"],
    ["a record that is left out", (line, index) => (index === 1 ? [] : line), "record 2 (in.jsonl:2) changed"],
    ["a record before", (line, index) => (index === 0 ? [line, line] : line), "record 2 (in.jsonl:2) changed"],
    ["a blank line", (line, index) => (index === 1 ? ["", line] : line), "record 2 (in.jsonl:3) changed"],
    ["the end", (line, index) => (index < 3 ? line : []), "the input ends before record 4"],
    ["all", () => [], "the input ends before record 1"],
  ];

  it.each(changes)("is refused by number: %s", async (_, change, message) => {
    const { at, run, isUntouched } = await stopped();
    writeFileSync(
      at("in.jsonl"),
      lines
        .flatMap(change)
        .map((line) => `${line}\n`)
        .join(""),
    );
    const { code, stderr } = await run(["--resume"]);
    expect([code, stderr.replaceAll(`${at("")}/`, "")]).toEqual([2, expect.stringContaining(`arch-route: ${message}`)]);
    expect(stderr).toContain("--resume-changed");
    isUntouched();
  });

  it("is no matter behind what is done", async () => {
    const { at, run } = await stopped();
    writeFileSync(
      at("in.jsonl"),
      lines.map((line, index) => `${index === 8 ? '{"prompt":"hello"}' : line}\n`).join(""),
    );
    expect((await run(["--resume"])).code).toBe(3);
    expect(read(at("out")).split("\n")).toHaveLength(13);
  });

  it.each([
    ["routes", ["-r", "support"], "routes"],
    ["a threshold", ["--min-confidence", "0.3"], "min_confidence"],
    ["what counts of a conversation", ["--history", "last"], "history"],
    ["the form of the output", ["--plain", "--top", "3"], "output, top"],
    ["a command", ["-x"], "exec, stdin, max_output_bytes"],
  ])("is refused: %s", async (_, args, names) => {
    const { run, isUntouched } = await stopped();
    const { code, stderr } = await run([...args, "--resume"]);
    expect([code, stderr]).toEqual([
      2,
      `arch-route: records 1 to 4 were done with other settings (${names}); take back what was changed, or keep the records that are done with --resume-changed\n`,
    ]);
    isUntouched();
  });

  it("is refused: another model", async () => {
    const { run, isUntouched } = await stopped();
    const { stderr } = await run(["--resume"], { engine: { ...steady(), model: "another" } });
    expect(stderr).toContain("with other settings (model)");
    isUntouched();
  });

  it.each([["--require-route"], ["--jobs", "3"], ["--threads", "1"], ["-q"]])("is none: %s %s", async (...args) => {
    const { run, at } = await stopped();
    expect((await run([...args.filter(Boolean), "--resume"])).code).toBe(3);
    expect(read(at("out"))).toBe((await unbroken()).text);
  });

  it("may be kept: records done stay done, the rest is done as things are now", async () => {
    const { run, at } = await stopped();
    writeFileSync(at("in.jsonl"), lines.map((line) => `${line.replace("bug_fixing", "hello")}\n`).join(""));
    expect((await run(["--resume-changed", "-r", "support"])).code).toBe(3);
    const [before, after] = [await unbroken(), read(at("out"))];
    const kept = before.text.split("\n").slice(0, 4);
    expect(after.split("\n").slice(0, 4)).toEqual(kept);
    const now = await unbroken(read(at("in.jsonl")), ["-r", "support"]);
    expect(after.split("\n").slice(4)).toEqual(now.text.split("\n").slice(4));
    // What is there is still no unbroken run's.
    const { stderr } = await run(["--resume", "-r", "support"]);
    expect(stderr).toContain("records 1 to 4 were done with other settings (routes)");
    expect((await run(["--resume-changed", "-r", "support"])).code).toBe(3);
    expect(read(at("out"))).toBe(after);
  });

  it("may be kept although the input is shorter now", async () => {
    const { run, at, isUntouched } = await stopped();
    writeFileSync(at("in.jsonl"), "");
    expect((await run(["--resume-changed"])).code).toBe(0);
    isUntouched();
  });
});

describe("a batch that was torn", () => {
  it("is whole again wherever output and journal were cut, of the last two records", async () => {
    const input = records(4);
    const { text } = await unbroken(input, ["--plain"]);
    const { run, at } = workplace(input, ["--plain"]);
    await run(["--resume"]);
    const [output, journal] = [readFileSync(at("out")), readFileSync(at("out.journal"))];
    const from = (bytes: Buffer) => bytes.toString("latin1").split("\n").slice(0, -3).join("\n").length + 1;
    const torn = async (outputSize: number, journalSize: number) => {
      addFiles(at("."), { out: output.subarray(0, outputSize), "out.journal": journal.subarray(0, journalSize) });
      const { code, stderr } = await run(["--resume"]);
      expect([outputSize, journalSize, code, read(at("out"))]).toEqual([outputSize, journalSize, 0, text]);
      expect(readFileSync(at("out.journal")).equals(journal)).toBe(true);
      const isCut = outputSize < output.length || journalSize < journal.length;
      expect(stderr).toMatch(isCut ? /^arch-route: \S+: what was not written whole is cut off: [^\n]*\n$/ : /^$/);
    };
    for (let size = from(output); size <= output.length; size++) await torn(size, journal.length);
    for (let size = from(journal); size <= journal.length; size++) await torn(output.length, size);
    for (let cut = 1; cut < 30; cut++) await torn(output.length - cut, journal.length - 3 * cut);
  });

  it("is begun again if its journal has no whole record", async () => {
    const { run, at, stopAt } = workplace();
    await stopAt(3);
    truncateSync(at("out.journal"), read(at("out.journal")).indexOf("\n") + 10);
    expect((await run(["--resume"])).code).toBe(3);
    expect(read(at("out"))).toBe((await unbroken()).text);
  });
});

describe("the exit code of a resumed batch", () => {
  it.each<[string, string[], string, number]>([
    ["bad records", [], `oops\n${jsonl(...[1, 2, 3].map((id) => ({ id, prompt: "bug_fixing" })))}`, 3],
    [
      "no route, required",
      ["--require-route"],
      jsonl({ prompt: "x" }, ...[1, 2].map(() => ({ prompt: "bug_fixing" }))),
      1,
    ],
  ])("has what was before: %s", async (_, args, input, code) => {
    const { run, stopAt } = workplace(input, args);
    await stopAt(2);
    expect((await run(["--resume"])).code).toBe(code);
    expect((await unbroken(input, args)).code).toBe(code);
  });
});

describe("a model that does not answer", () => {
  /** Answers until so many calls were made, and never again, or to the next so many not. */
  const dying = (after: number, times = Number.POSITIVE_INFINITY) =>
    steady((call) => {
      if (call >= after && call < after + times)
        throw new ArchRouteError("E_MODEL_DIED", "model process died (SIGABRT)");
    });
  const input = jsonl(...Array.from({ length: 20 }, (_, id) => ({ id, prompt: "bug_fixing" })));
  const count = (path: string) => read(path).split("\n").length - 1;

  it("ends the batch after three records, which are done again", async () => {
    const { run, at } = workplace(input);
    // Calls that fail are not counted by the fake.
    const { code, stderr } = await run([], { engine: dying(5) });
    expect(code).toBe(4);
    expect(stderr).toContain("arch-route: 3 of 8 records failed\n");
    expect(stderr).toMatch(
      /stopped after 8 records: no answer from the model to the last 3; go on with arch-route .*--resume\n$/,
    );
    expect(count(at("out"))).toBe(8);
    const again = await run(["--resume"]);
    expect(again).toEqual({
      code: 0,
      stdout: "",
      stderr: `arch-route: ${at("out")}: the model did not answer the last 3 records: they are done again\n`,
    });
    expect(read(at("out"))).toBe((await unbroken(input)).text);
  });

  it("ends a batch on standard output as well", async () => {
    const { code, stdout, stderr } = await runCli([], { stdin: input, engine: dying(5) });
    expect([code, stdout.split("\n").length - 1]).toEqual([4, 8]);
    expect(stderr).toMatch(/stopped after 8 records, at -:8: no answer from the model to the last 3\n$/);
  });

  it("to the last record is asked again, too", async () => {
    const { run, at } = workplace(input);
    const { code, stderr } = await run([], { engine: dying(19) });
    expect([code, count(at("out"))]).toEqual([4, 20]);
    expect(stderr).toMatch(/stopped after 20 records: no answer from the model to the last one; go on with /);
    expect((await run(["--resume"])).code).toBe(0);
    expect(read(at("out"))).toBe((await unbroken(input)).text);
  });

  it("and then does has one error each time, and the batch goes on", async () => {
    const { run, at, files } = workplace(input);
    let call = 0;
    const fake = steady();
    const engine: Engine = {
      ...fake,
      async rank(routes, conversation) {
        if (++call % 3 !== 0) throw new ArchRouteError("E_MODEL_DIED", "model process died (SIGABRT)");
        return await fake.rank(routes, conversation);
      },
    };
    writeFileSync(at("in.jsonl"), input + jsonl({ prompt: "bug_fixing" }));
    expect((await run([], { engine })).code).toBe(4);
    expect([count(at("out")), files()]).toEqual([21, ["in.jsonl", "out"]]);
  });
});

describe("a batch of commands", () => {
  const withCommand = (command: string) =>
    userWith({ routes: [{ name: "alpha", description: "A", run: [[command]] }] });
  const input = jsonl(...Array.from({ length: 8 }, (_, id) => ({ id, prompt: `alpha ${id}` })));

  it("notes exit codes and signals, and a resumed one fails as the unbroken one", async () => {
    const command = script("read -r _ id; [ $id = 1 ] && exit 3; [ $id = 2 ] && kill -KILL $$; echo $id");
    const env = withCommand(command);
    const { run, at } = workplace(input, ["-x"]);
    const signals = new EventEmitter();
    const engine = steady((call) => void (call === 4 && signals.emit("SIGINT")));
    expect((await run([], { env, signals, engine })).code).toBe(130);
    const notes = read(at("out.journal"))
      .split("\n")
      .slice(1, 4)
      .map((line) => line.split(" ").slice(4).join(" "));
    expect(notes).toEqual(["matched 0", "matched 3", "matched 137,SIGKILL"]);
    expect((await run(["--resume"], { env })).code).toBe(8);
    const reference = workplace(input, ["-x"]);
    await reference.run([], { env });
    expect(read(at("out"))).toBe(read(reference.at("out")));
  });

  it.each([
    ["an interrupt", [], 130],
    ["--halt now", ["--halt", "now,fail=1"], 8],
  ])("ended by %s are run again, for those they were run for are not done", async (_, args, code) => {
    const [ran, first] = [join(temporaryFolder(), "ran"), join(temporaryFolder(), "first")];
    // Record 0 fails once; the others hang as long as it is the first time.
    const command = script(
      `read -r _ id; echo $id >>${ran}; [ -e ${first} ] && { echo $id; exit 0; }; [ $id = 0 ] && { sleep 0.4; exit 1; }; sleep 30`,
    );
    const env = withCommand(command);
    const signals = new EventEmitter();
    const { run, at } = workplace(input, ["-x", "--jobs", "3", ...args]);
    if (code === 130) setTimeout(() => signals.emit("SIGINT"), 1500);
    const { stderr } = await run([], { env, signals });
    expect(stderr).toMatch(/ after 1 records.*; go on with /);
    expect(read(at("out")).split("\n")).toHaveLength(2);
    writeFileSync(first, "");
    expect((await run(["--resume"], { env })).code).toBe(8);
    const ids = read(at("out"))
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));
    expect(ids.map(({ id, exec }) => [id, exec.exit_code])).toEqual(
      Array.from({ length: 8 }, (_, id) => [id, id === 0 ? 1 : 0]),
    );
  });

  it("have the same ARCH_ROUTE_ID again, the journal's", async () => {
    const command = script("cat >/dev/null; echo $ARCH_ROUTE_ID");
    const { run, at } = workplace(input, ["-x", "--resume"]);
    await run([], { env: withCommand(command) });
    const ids = read(at("out"))
      .split("\n")
      .slice(0, -1)
      .map((line) => (JSON.parse(line) as { output: string }).output);
    const journal = read(at("out.journal"))
      .split("\n")
      .slice(1, -1)
      .map((line) => line.split(" ")[1]);
    expect(ids.map((id) => id.slice(0, 32))).toEqual(journal);
    expect(new Set(ids).size).toBe(8);
  });

  it("are gone on with after --halt soon", async () => {
    const command = script("read -r _ id; [ $id = 2 ] && exit 1; echo $id");
    const env = withCommand(command);
    const { run, at } = workplace(input, ["-x", "--halt", "soon,fail=1"]);
    const { code, stderr } = await run([], { env });
    expect([code, stderr]).toEqual([
      8,
      expect.stringMatching(/stopped after [34] records: 1 commands failed \(--halt\); go on/),
    ]);
    expect((await run(["--resume"], { env })).code).toBe(8);
    expect(read(at("out")).split("\n")).toHaveLength(9);
  });
});

describe("input that goes on", () => {
  it("is let go of when the journal is refused", async () => {
    const { at, stopAt } = workplace();
    await stopAt(3);
    async function* endless(): AsyncGenerator<Buffer> {
      yield Buffer.from(records(4));
      await new Promise(() => undefined);
    }
    const stdin = Readable.from(endless());
    appendFileSync(at("out"), "");
    expect((await runCli(["-o", at("out"), "-r", "support", "--resume"], { stdin, engine: steady() })).code).toBe(2);
    expect(stdin.destroyed).toBe(true);
  });
});
