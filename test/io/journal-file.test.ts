import { appendFileSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  type Entry,
  finishCheck,
  formatEntry,
  formatSettings,
  OutputChanged,
  readEntries,
  startCheck,
  surveyJournal,
} from "../../src/io/journal-file.js";
import { temporaryFolder } from "../helpers/run-cli.js";

const nothingVoid = () => false;

/** A journal of these results, the last part of which is its note. */
function written(...results: string[]) {
  const folder = temporaryFolder();
  const [journal, output] = [join(folder, "out.journal"), join(folder, "out")];
  const entries: Entry[] = [];
  let end = 0;
  for (const [index, text] of results.entries()) {
    end += Buffer.byteLength(text);
    const check = finishCheck(startCheck().update(text));
    const content = String(index).padStart(32, "0");
    entries.push({ sequence: index + 1, content, end, check, note: text.trim().split(" ").at(-1) ?? "" });
  }
  writeFileSync(journal, formatSettings({ model: "a" }) + entries.map(formatEntry).join(""));
  writeFileSync(output, results.join(""));
  return {
    journal,
    output,
    entries,
    survey: (isVoid = nothingVoid as (note: string) => boolean) => surveyJournal(journal, output, isVoid),
  };
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe("readEntries", () => {
  it("gives back what was written", async () => {
    const { journal, entries } = written("a matched\n", "ä€😀 other 143,SIGTERM\n", "");
    expect(await all(readEntries(journal))).toEqual(entries);
  });

  it("has none without a journal", async () => {
    expect(await all(readEntries("/nowhere/journal"))).toEqual([]);
    expect(await all(readEntries(join(written("a").output, "below")))).toEqual([]);
  });

  it("ends where it is told to", async () => {
    const { journal, entries } = written("a\n", "b\n", "c\n");
    const end = readFileSync(journal, "utf8").split("\n").slice(0, 3).join("\n").length + 1;
    expect(await all(readEntries(journal, end))).toEqual(entries.slice(0, 2));
    expect(await all(readEntries(journal, end - 1))).toEqual(entries.slice(0, 1));
  });

  it.each([
    ["a line that is not whole", "4 0"],
    ["a whole line that is none", "hello\n"],
    ["an empty line", "\n"],
    ["what a power failure leaves", "\0".repeat(200)],
    ["the same, without end", "\0".repeat(3 << 20)],
    ["settings that are none", "{]\n"],
  ])("ends before %s", async (_, more) => {
    const { journal, entries } = written("a\n", "b\n", "c\n");
    appendFileSync(journal, `${more}${formatEntry({ ...(entries[2] as Entry), sequence: 4 })}`);
    expect(await all(readEntries(journal))).toEqual(entries);
  });

  it("says which file cannot be read", async () => {
    await expect(all(readEntries(temporaryFolder()))).rejects.toMatchObject({ code: "E_USAGE" });
  });
});

describe("surveyJournal", () => {
  it("finds a journal and its output good", async () => {
    const { journal, output, survey } = written("a\n", "", "ä€😀\n", "c".repeat(1 << 19), "\n");
    const { good, done } = await survey();
    expect(good).toEqual({
      records: 5,
      journalEnd: readFileSync(journal).length,
      outputEnd: readFileSync(output).length,
      settings: [{ first: 1, settings: { model: "a" } }],
    });
    expect(done).toEqual(good);
  });

  it("is good up to where the output ends, wherever that is", async () => {
    const { output, survey } = written("a matched\n", "ä€😀\n", "c matched\n");
    const whole = readFileSync(output);
    const ends = [0, 10, 20, whole.length];
    for (let size = whole.length; size >= 0; size--) {
      truncateSync(output, size);
      const { good } = await survey();
      expect([size, good.records, good.outputEnd]).toEqual([
        size,
        ends.filter((end) => end <= size).length - 1,
        Math.max(...ends.filter((end) => end <= size)),
      ]);
    }
  });

  it("is good up to where the journal ends, wherever that is", async () => {
    const { journal, survey } = written("a matched\n", "b matched\n");
    const whole = readFileSync(journal);
    for (let size = whole.length; size >= 0; size--) {
      truncateSync(journal, size);
      const { good } = await survey();
      const lines = whole.subarray(0, size).toString().split("\n").slice(0, -1);
      expect([size, good.records]).toEqual([size, Math.max(0, lines.length - 1)]);
      expect(good.journalEnd).toBe(lines.join("\n").length + (lines.length > 0 ? 1 : 0));
    }
  });

  it("ends before what a power failure left empty in the output", async () => {
    const { output, survey } = written("a matched\n", "b matched\n", "c matched\n");
    writeFileSync(output, "a matched\nb m\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    expect((await survey()).good).toMatchObject({ records: 1, outputEnd: 10 });
  });

  it("rejects if somebody changed the output, and says at which record", async () => {
    const { output, survey } = written("a matched\n", "b matched\n", "c matched\n");
    writeFileSync(output, "a matched\nB matched\nc matched\n");
    await expect(survey()).rejects.toEqual(new OutputChanged(2));
  });

  it("leaves void records at the end out, and only there", async () => {
    const { survey } = written("a\n", "x void\n", "b\n", "x void\n", "y void\n");
    const { good, done } = await survey((note) => note === "void");
    expect([good.records, done.records, done.outputEnd]).toEqual([5, 3, 11]);
  });

  it("leaves out what was begun for void records only", async () => {
    const { journal, entries, survey } = written("a\n", "x void\n");
    const [first, second] = entries.map(formatEntry);
    const [one, two] = [formatSettings({ model: "a" }), formatSettings({ model: "b" })];
    writeFileSync(journal, `${one}${first}${two}${second}`);
    const { good, done } = await survey((note) => note === "void");
    expect(good.settings.map(({ first, settings }) => [first, settings["model"]])).toEqual([
      [1, "a"],
      [2, "b"],
    ]);
    expect([done.records, done.journalEnd]).toEqual([1, `${one}${first}${two}`.length]);
  });

  it.each([
    ["a record is left out", [0, 2]],
    ["a record comes twice", [0, 0, 1]],
    ["the order is another", [1, 0]],
  ])("ends where %s", async (_, order) => {
    const { journal, entries, survey } = written("a\n", "b\n", "c\n");
    const lines = order.map((index) => formatEntry(entries[index] as Entry));
    writeFileSync(journal, formatSettings({ model: "a" }) + lines.join(""));
    expect((await survey()).good.records).toBe(order[0] === 0 ? 1 : 0);
  });

  it("counts no record without settings", async () => {
    const { journal, entries, survey } = written("a\n");
    writeFileSync(journal, entries.map(formatEntry).join(""));
    expect((await survey()).good).toEqual({ records: 0, journalEnd: 0, outputEnd: 0, settings: [] });
  });
});
