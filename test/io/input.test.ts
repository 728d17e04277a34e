import { execFileSync } from "node:child_process";
import { appendFileSync, linkSync, mkdirSync, openSync, symlinkSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { type InputOptions, isPiped, isSameFile, readRecords, readWhole, STDIN } from "../../src/io/input.js";
import { temporaryFolder } from "../helpers/run-cli.js";
import { folderWith } from "./temporary-files.js";

/** A stream that hands out so many bytes at a time. */
function inChunks(text: string | Buffer, size = 16): Readable {
  const bytes = Buffer.from(text);
  const chunks: Buffer[] = [];
  for (let start = 0; start < bytes.length; start += size) chunks.push(bytes.subarray(start, start + size));
  return Readable.from(chunks);
}

const options = (given: Partial<InputOptions> = {}): InputOptions => ({
  stdin: Readable.from([]),
  format: "auto",
  maxRecordBytes: 1000,
  ...given,
});

/** Records as [line, text or code of the error]. */
async function read(sources: readonly string[], given: Partial<InputOptions>): Promise<(readonly [number, string])[]> {
  const records: (readonly [number, string])[] = [];
  for await (const record of readRecords(sources, options(given))) {
    records.push([record.line, "error" in record ? record.error.code : record.text]);
  }
  return records;
}

async function firstError(text: string | Buffer, given: Partial<InputOptions> = {}): Promise<string> {
  for await (const record of readRecords([STDIN], options({ stdin: inChunks(text), ...given }))) {
    if ("error" in record) return record.error.message;
  }
  return "none";
}

describe("readRecords", () => {
  it.each([
    ["text as one record", "text", "fix\nthis\n", [[1, "fix\nthis"]]],
    ["text with its own blank lines", "text", "fix\n\nthis\n\n\n", [[1, "fix\n\nthis"]]],
    ["text with CRLF", "text", "fix\r\nthis\r\n", [[1, "fix\nthis"]]],
    ["text with a byte order mark", "text", "\ufefffix", [[1, "fix"]]],
    ["blank text as nothing", "text", " \n\t\n", []],
    ["nothing as nothing", "auto", "", []],
    [
      "a prompt a line",
      "lines",
      "one\n\n  \ntwo",
      [
        [1, "one"],
        [4, "two"],
      ],
    ],
    ["an object a line as text if told so", "text", '{"a":1}\n{"b":2}\n', [[1, '{"a":1}\n{"b":2}']]],
    [
      "JSONL",
      "auto",
      '{"a":1}\n\n{"b":2}\n',
      [
        [1, '{"a":1}'],
        [3, '{"b":2}'],
      ],
    ],
    ["JSON as one record", "auto", '\n{\n"a": 1}\n', [[1, '\n{\n"a": 1}']]],
    [
      "JSONL with lines of anything",
      "jsonl",
      '7\n"x"\noops\n',
      [
        [1, "7"],
        [2, '"x"'],
        [3, "oops"],
      ],
    ],
  ] as const)("reads %s", async (_, format, text, expected) => {
    for (const size of [1, 2, 3, 7, 100]) {
      expect(await read([STDIN], { stdin: inChunks(text, size), format })).toEqual(expected);
    }
  });

  it("reads the same of six encodings of line ends", async () => {
    const lines = ['{"prompt":"ä"}', '{"prompt":"€"}', '{"prompt":"😀"}'];
    const whole = lines.join("\n");
    const clean = lines.map((line, index) => [index + 1, line]);
    for (const mark of ["", "\ufeff"]) {
      for (const text of [`${whole}\n`, whole, `${whole}\n`.replaceAll("\n", "\r\n"), whole.replaceAll("\n", "\r\n")]) {
        for (const size of [1, 2, 3, 7, 100])
          expect(await read([STDIN], { stdin: inChunks(mark + text, size) })).toEqual(clean);
      }
    }
  });

  it("keeps a byte order mark that is not at the beginning", async () => {
    expect(await read([STDIN], { stdin: inChunks("a\n\ufeffb"), format: "lines" })).toEqual([
      [1, "a"],
      [2, "\ufeffb"],
    ]);
  });

  it("takes chunks of text as well as of bytes", async () => {
    expect(await read([STDIN], { stdin: Readable.from(["ä", "b"]) })).toEqual([[1, "äb"]]);
  });

  it.each([
    ["a stray byte", Buffer.from('{"a":1}\n{"x":"\xff"}\n{"b":2}\n', "latin1"), "line 2, byte 7"],
    ["an overlong NUL", Buffer.from('{"a":1}\n{"x":"\xc0\x80"}\n{"b":2}\n', "latin1"), "line 2, byte 7"],
    ["a surrogate", Buffer.from('{"a":1}\n{"x":"\xed\xa0\x80"}\n{"b":2}\n', "latin1"), "line 2, byte 7"],
    ["a cut character", Buffer.from('{"a":1}\n{"x":"\xe2\x82"}\n{"b":2}\n', "latin1"), "line 2, byte 7"],
    [
      "a cut character after good ones",
      Buffer.from('{"a":1}\n{"\xc3\xa4":"\xf0\x9f\x98"}\n{"b":2}\n', "latin1"),
      "line 2, byte 8",
    ],
  ])("refuses the one line that holds %s", async (_, bytes, where) => {
    const records = await read([STDIN], { stdin: inChunks(bytes, 3) });
    expect(records).toEqual([
      [1, '{"a":1}'],
      [2, "E_UTF8"],
      [3, '{"b":2}'],
    ]);
    expect(await firstError(bytes)).toBe(`not valid UTF-8 (${where})`);
  });

  it("says in which line of a text the bad byte is", async () => {
    expect(await firstError(Buffer.from("one\ntwo\nthr\xffee\n", "latin1"), { format: "text" })).toContain(
      "line 3, byte 4",
    );
  });

  it("finds a character that the end of the input cut", async () => {
    expect(await firstError(Buffer.from([0x61, 0xe2, 0x82]), { format: "text" })).toContain("line 1, byte 2");
  });

  it("skips a line that is too long and goes on", async () => {
    const text = `{"a":1}\n{"x":"${"y".repeat(100)}"}\n{"b":2}\n`;
    const given = { stdin: inChunks(text, 7), maxRecordBytes: 50 };
    expect(await read([STDIN], given)).toEqual([
      [1, '{"a":1}'],
      [2, "E_TOO_LARGE"],
      [3, '{"b":2}'],
    ]);
    expect(await firstError(text, { maxRecordBytes: 50 })).toBe("the record has more than 50 bytes");
  });

  it("takes a first line that is too long for the JSONL that it begins", async () => {
    const text = `{"x":"${"y".repeat(100)}"}\n{"b":2}\n`;
    const given = { stdin: inChunks(text, 7), maxRecordBytes: 50 };
    expect(await read([STDIN], given)).toEqual([
      [1, "E_TOO_LARGE"],
      [2, '{"b":2}'],
    ]);
  });

  it("refuses a text that is too long", async () => {
    expect(await read([STDIN], { stdin: inChunks("x".repeat(1001)) })).toEqual([[1, "E_TOO_LARGE"]]);
    expect(await read([STDIN], { stdin: inChunks("x".repeat(1000)) })).toEqual([[1, "x".repeat(1000)]]);
  });

  it("reads files by their names, one after the other, counting lines in each", async () => {
    const folder = folderWith({ "a.jsonl": '{"a":1}\n', "b.txt": "text\n", "c.json": "[\n1]", "d.ndjson": "\n2\n3" });
    const paths = ["a.jsonl", "b.txt", "c.json", "d.ndjson"].map((name) => join(folder, name));
    expect(await read(paths, {})).toEqual([
      [1, '{"a":1}'],
      [1, "text"],
      [1, "[\n1]"],
      [2, "2"],
      [3, "3"],
    ]);
  });

  it("names what cannot be read and reads the rest", async () => {
    const folder = folderWith({ "a.txt": "a", "b.txt": "b" });
    mkdirSync(join(folder, "dir.txt"));
    const paths = ["a.txt", "nowhere.txt", "dir.txt", "b.txt"].map((name) => join(folder, name));
    expect(await read(paths, {})).toEqual([
      [1, "a"],
      [1, "E_READ"],
      [1, "E_READ"],
      [1, "b"],
    ]);
    const messages: string[] = [];
    for await (const record of readRecords(paths, options()))
      if ("error" in record) messages.push(record.error.message);
    expect(messages).toEqual([`${paths[1]}: no such file`, `${paths[2]}: it is a folder`]);
  });

  it("knows the format of a file that is not there by its name", async () => {
    for await (const record of readRecords(["/nowhere/a.jsonl"], options())) expect(record.format).toBe("jsonl");
    for await (const record of readRecords(["/nowhere/a"], options())) expect(record.format).toBeUndefined();
    for await (const record of readRecords(["/nowhere/a"], options({ format: "lines" })))
      expect(record.format).toBe("lines");
  });

  it("says in which line a source broke off", async () => {
    async function* breaking(): AsyncGenerator<Buffer> {
      yield Buffer.from('{"a":1}\n{"b":2}\n{"c');
      throw Object.assign(new Error("EIO: i/o error, read"), { code: "EIO" });
    }
    const given = { stdin: Readable.from(breaking()), format: "jsonl" } as const;
    expect(await read([STDIN], given)).toEqual([
      [1, '{"a":1}'],
      [2, '{"b":2}'],
      [3, "E_READ"],
    ]);
  });

  it("streams a pipe that has a name", async () => {
    const path = join(temporaryFolder(), "pipe");
    execFileSync("mkfifo", [path]);
    const [records] = await Promise.all([read([path], {}), writeFile(path, '{"a":1}\n{"b":2}\n')]);
    expect(records).toEqual([
      [1, '{"a":1}'],
      [2, '{"b":2}'],
    ]);
  });

  it("reads what a file grows by while it is read", async () => {
    const path = join(folderWith({ "a.jsonl": '{"a":1}\n'.repeat(20_000) }), "a.jsonl");
    let count = 0;
    for await (const _ of readRecords([path], options())) if (++count === 1) appendFileSync(path, '{"b":2}\n');
    expect(count).toBe(20_001);
  });

  it("hands out a record before the input has ended", async () => {
    async function* slow(): AsyncGenerator<Buffer> {
      yield Buffer.from('{"a":1}\n{"b":2}\n');
      await new Promise(() => undefined);
    }
    const records = readRecords([STDIN], options({ stdin: Readable.from(slow()) }));
    expect((await records.next()).value).toMatchObject({ line: 1 });
    expect((await records.next()).value).toMatchObject({ line: 2 });
  });
});

describe("readWhole", () => {
  it("joins all sources as text", async () => {
    const folder = folderWith({ "a.json": '{"a":1}\n', "b.txt": "b\n" });
    expect(await readWhole([join(folder, "a.json"), join(folder, "b.txt")], options())).toBe('{"a":1}\n\nb');
  });

  it("is empty if there was nothing", async () => {
    expect(await readWhole([STDIN], options())).toBe("");
  });

  it.each([
    ["that is not there", "/nowhere/a", "E_READ"],
    ["that is no text", join(folderWith({ a: Buffer.from([0xff]) }), "a"), "E_UTF8"],
  ])("fails at a source %s", async (_, path, code) => {
    await expect(readWhole([path], options())).rejects.toMatchObject({ code });
  });
});

describe("isPiped", () => {
  it.each([
    ["a terminal", Object.assign(Readable.from([]), { isTTY: true }), false],
    ["a stream without a descriptor", Readable.from([]), true],
    [
      "the null device, as of a closed standard input",
      Object.assign(Readable.from([]), { fd: openSync("/dev/null", "r") }),
      false,
    ],
    ["a file", Object.assign(Readable.from([]), { fd: openSync(import.meta.filename, "r") }), true],
    ["a descriptor that is none", Object.assign(Readable.from([]), { fd: 99_999 }), false],
  ])("%s", (_, stdin, expected) => {
    expect(isPiped(stdin)).toBe(expected);
  });
});

describe("isSameFile", () => {
  it("knows a file by any of its names", () => {
    const folder = folderWith({ a: "", b: "" });
    const at = (name: string) => join(folder, name);
    symlinkSync(at("a"), at("symbolic"));
    linkSync(at("a"), at("hard"));
    for (const name of ["a", "symbolic", "hard", `../${basename(folder)}/a`]) {
      expect(isSameFile(at("a"), at(name))).toBe(true);
    }
    expect(isSameFile(at("a"), at("b"))).toBe(false);
    expect(isSameFile(at("a"), at("nowhere"))).toBe(false);
    expect(isSameFile(folder, folder)).toBe(false);
    expect(isSameFile("/dev/null", "/dev/null")).toBe(false);
  });
});

describe("the share that is read", () => {
  async function shares(files: Record<string, string>, sources: readonly string[], stdin = Readable.from([])) {
    const folder = temporaryFolder();
    await Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(folder, name), text)));
    const paths = sources.map((source) => (source === "-" ? source : join(folder, source)));
    const found: (number | undefined)[] = [];
    const options = { stdin, format: "jsonl", maxRecordBytes: 100 } as const;
    for await (const { share } of readRecords(paths, options)) found.push(share);
    return found;
  }

  it("is told of files, all together, whatever their lines", async () => {
    expect(await shares({ a: '"1"\n\n"2"\r\n', b: "bad\n12345" }, ["a", "b"])).toEqual([4 / 19, 10 / 19, 14 / 19, 1]);
  });

  it("is 1 at most, and unknown of a pipe", async () => {
    expect(await shares({ a: '"1"' }, ["a"])).toEqual([1]);
    expect(await shares({ a: '"1"\n' }, ["a", "-"], Readable.from(['"2"\n']))).toEqual([undefined, undefined]);
  });
});
