import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { canHaveJournal, differences, nothingDone, openJournal, refuseUnfinished } from "../../src/io/journal.js";
import { temporaryFolder } from "../helpers/run-cli.js";
import { folderWith } from "./temporary-files.js";

const settings = { model: "a" };
const content = (index: number) => String(index).padStart(32, "0");
const nothingVoid = () => false;
const read = (path: string) => readFileSync(path, "utf8");

/** Writes records into a new journal, as a batch does, and ends as one does that was stopped, or that was complete. */
async function write(output: string, texts: readonly string[], complete?: { readonly kept: boolean }): Promise<void> {
  const journal = await openJournal(output, false);
  await journal.begin(nothingDone, settings);
  await add(journal, texts, 0);
  if (complete) await journal.complete(complete.kept);
  await journal.release();
}

async function add(journal: Awaited<ReturnType<typeof openJournal>>, texts: readonly string[], from: number) {
  for (const [index, text] of texts.entries()) {
    await journal.output.write(text);
    await journal.add(content(from + index), "matched");
  }
}

/** Goes on with a journal; how many records it had. */
async function goOn(output: string, texts: readonly string[], given = settings): Promise<number> {
  const journal = await openJournal(output, true);
  try {
    const { done } = await journal.survey(nothingVoid);
    await journal.begin(done, given);
    await add(journal, texts, done.records);
    return done.records;
  } finally {
    await journal.release();
  }
}

describe("a journal", () => {
  it("is written beside the output, and goes on where it ended", async () => {
    const output = join(temporaryFolder(), "out");
    await write(output, ["a\n", "ä€😀\n"]);
    expect(await goOn(output, ["c\n"])).toBe(2);
    expect(read(output)).toBe("a\nä€😀\nc\n");
    const journal = await openJournal(output, true);
    const { done, isTorn } = await journal.survey(nothingVoid);
    const entries = [];
    for await (const { sequence, content: hash } of journal.entries(done)) entries.push([sequence, hash]);
    expect(entries).toEqual([1, 2, 3].map((sequence) => [sequence, content(sequence - 1)]));
    expect([done.records, done.settings, isTorn]).toEqual([3, [{ first: 1, settings }], false]);
    await journal.release();
  });

  it("is for the user's eyes alone", async () => {
    const output = join(temporaryFolder(), "out");
    await write(output, ["a\n"]);
    expect(statSync(`${output}.journal`).mode & 0o077).toBe(0);
  });

  it("goes when the run is complete, unless it is kept", async () => {
    const output = join(temporaryFolder(), "out");
    await write(output, ["a\n"], { kept: false });
    expect(readdirSync(join(output, ".."))).toEqual(["out"]);
    await write(output, ["b\n"], { kept: true });
    expect(readdirSync(join(output, "..")).sort()).toEqual(["out", "out.journal"]);
    expect(read(output)).toBe("b\n");
  });

  it("replaces what the output held before", async () => {
    const output = join(folderWith({ out: "a long text of before\n" }), "out");
    await write(output, ["a\n"]);
    expect(read(output)).toBe("a\n");
  });

  it("cuts off what came after its end, in both files", async () => {
    const output = join(temporaryFolder(), "out");
    await write(output, ["a\n", "b\n"]);
    appendFileSync(output, "half a li");
    appendFileSync(`${output}.journal`, "3 00");
    const journal = await openJournal(output, true);
    expect(await journal.survey(nothingVoid)).toMatchObject({ isTorn: true, done: { records: 2 } });
    expect(read(output)).toBe("a\nb\nhalf a li");
    await journal.release();
    await goOn(output, ["c\n"]);
    expect(read(output)).toBe("a\nb\nc\n");
    expect(read(`${output}.journal`).split("\n")).toHaveLength(5);
  });

  it("notes settings that are others, once", async () => {
    const output = join(temporaryFolder(), "out");
    await write(output, ["a\n"]);
    await goOn(output, ["b\n"], { model: "b" });
    await goOn(output, ["c\n"], { model: "b" });
    const journal = await openJournal(output, true);
    expect((await journal.survey(nothingVoid)).done.settings).toEqual([
      { first: 1, settings },
      { first: 2, settings: { model: "b" } },
    ]);
    await journal.release();
  });

  it("is one, by whatever name the output goes", async () => {
    const folder = temporaryFolder();
    await write(join(folder, "out"), ["a\n"]);
    symlinkSync(join(folder, "out"), join(folder, "link"));
    await expect(openJournal(join(folder, "link"), false)).rejects.toMatchObject({ code: "E_USAGE" });
    expect(await goOn(join(folder, "link"), ["b\n"])).toBe(1);
    expect(readdirSync(folder).sort()).toEqual(["link", "out", "out.journal"]);
  });
});

describe("a journal is refused", () => {
  it("if there is one with records, and it is not to be gone on with", async () => {
    const output = join(temporaryFolder(), "out");
    await write(output, ["a\n", "b\n"]);
    const before = read(`${output}.journal`);
    for (const refused of [() => openJournal(output, false), () => refuseUnfinished(output)]) {
      await expect(refused()).rejects.toMatchObject({
        code: "E_USAGE",
        message: `${output}: its journal has 2 records that are done`,
        hint: `go on with --resume, or remove ${output}.journal`,
      });
    }
    expect([read(output), read(`${output}.journal`)]).toEqual(["a\nb\n", before]);
    expect(existsSync(`${output}.journal.lock`)).toBe(false);
  });

  it("not if it has no records", async () => {
    const output = join(temporaryFolder(), "out");
    await write(output, []);
    await refuseUnfinished(output);
    await write(output, ["a\n"]);
    expect(read(output)).toBe("a\n");
  });

  it("if there are results without one that are to be gone on with", async () => {
    const output = join(folderWith({ out: "precious\n" }), "out");
    await expect(openJournal(output, true)).rejects.toMatchObject({
      code: "E_USAGE",
      message: expect.stringContaining("holds results"),
    });
    expect(readdirSync(join(output, ".."))).toEqual(["out"]);
    writeFileSync(output, "");
    expect(await goOn(output, ["a\n"])).toBe(0);
  });

  it("while another has it", async () => {
    const output = join(temporaryFolder(), "out");
    const journal = await openJournal(output, false);
    for (const resume of [false, true]) {
      await expect(openJournal(output, resume)).rejects.toMatchObject({
        code: "E_USAGE",
        message: `${output}: process ${process.pid} is writing it`,
      });
    }
    await journal.release();
    await (await openJournal(output, false)).release();
  });

  it("if somebody changed the output", async () => {
    const output = join(temporaryFolder(), "out");
    await write(output, ["a\n", "b\n"]);
    writeFileSync(output, "A\nb\n");
    await expect(goOn(output, [])).rejects.toMatchObject({
      code: "E_USAGE",
      message: `${output}: what it holds of record 1 was changed since`,
    });
    expect(read(output)).toBe("A\nb\n");
  });

  it.each([
    ["a folder that is not there", "nowhere/out", "nowhere/out: cannot be written: its folder does not exist"],
    ["below a file", "file/out", "file/out.journal: cannot be written: ENOTDIR"],
  ])("in %s", async (_, path, message) => {
    const folder = folderWith({ file: "" });
    await expect(openJournal(join(folder, path), false)).rejects.toMatchObject({
      code: "E_OUTPUT",
      message: expect.stringContaining(message),
    });
  });
});

describe("canHaveJournal", () => {
  it.each([
    ["a file", "file", true],
    ["nothing yet", "new", true],
    ["a folder", "folder", false],
    ["a pipe", "pipe", false],
    ["a device", "/dev/null", false],
  ])("%s: %s", (_, path, expected) => {
    const folder = folderWith({ file: "" });
    mkdirSync(join(folder, "folder"));
    execFileSync("mkfifo", [join(folder, "pipe")]);
    expect(canHaveJournal(path.startsWith("/") ? path : join(folder, path))).toBe(expected);
  });
});

describe("differences", () => {
  it("names what is not the same, or not there", () => {
    expect(differences({ a: "1", b: "2", c: "3" }, { a: "1", b: "3", d: "4" })).toEqual(["b", "c", "d"]);
    expect(differences(settings, { ...settings })).toEqual([]);
  });
});

describe("a write that fails", () => {
  afterEach(() => vi.restoreAllMocks());

  /** Lets the Nth write to a file, counted over all of them, fail: half of it is written, as on a disk that is full. */
  async function failAt(n: number): Promise<{ readonly calls: () => number }> {
    const handle = await open("/dev/null");
    const prototype = Object.getPrototypeOf(handle) as FileHandle;
    await handle.close();
    let calls = 0;
    const failing = (): Error | undefined =>
      ++calls === n ? Object.assign(new Error("ENOSPC"), { code: "ENOSPC" }) : undefined;
    const { appendFile, truncate, sync } = prototype;
    vi.spyOn(prototype, "appendFile").mockImplementation(async function (this: FileHandle, data) {
      const error = failing();
      const bytes = Buffer.from(data as string);
      await appendFile.call(this, error ? bytes.subarray(0, bytes.length >> 1) : bytes);
      if (error) throw error;
    });
    for (const [name, method] of [
      ["truncate", truncate],
      ["sync", sync],
    ] as const) {
      vi.spyOn(prototype, name).mockImplementation(async function (this: FileHandle, ...given: []) {
        const error = failing();
        if (error) throw error;
        await method.apply(this, given);
      });
    }
    return { calls: () => calls };
  }

  const texts = Array.from({ length: 6 }, (_, index) => `result ${index}\n`);

  it("is E_OUTPUT wherever it comes, and the journal is never ahead: going on gives the whole", async () => {
    for (let n = 1; ; n++) {
      const output = join(temporaryFolder(), "out");
      const { calls } = await failAt(n);
      const journal = await openJournal(output, true);
      let written = 0;
      const error = await (async () => {
        await journal.begin(nothingDone, settings);
        for (const text of texts) {
          await journal.output.write(text);
          await journal.add(content(written), "matched");
          written++;
        }
        await journal.complete(true);
      })().catch((cause) => cause);
      await journal.release();
      vi.restoreAllMocks();
      if (calls() < n) {
        expect([error, n]).toEqual([undefined, 18]);
        break;
      }
      expect(error).toMatchObject({ code: "E_OUTPUT", message: expect.stringMatching(/out(\.journal)?: cannot be/) });
      const left = await openJournal(output, true);
      const { done } = await left.survey(nothingVoid);
      await left.release();
      expect([n, done.records]).toEqual([n, written]);
      expect(done.outputEnd).toBeLessThanOrEqual(statSync(output).size);
      await goOn(output, texts.slice(written));
      expect([n, read(output)]).toEqual([n, texts.join("")]);
    }
  });

  it("says how to go on", async () => {
    const output = join(temporaryFolder(), "out");
    const journal = await openJournal(output, false);
    await journal.begin(nothingDone, settings);
    await failAt(1);
    await expect(journal.output.write("a\n")).rejects.toMatchObject({
      message: `${output}: cannot be written: no space left`,
      hint: "mend that, then go on with --resume",
    });
    await journal.release();
  });
});
