import { describe, expect, it } from "vitest";
import { detectFormat, formatByName } from "../../src/io/input-format.js";

async function* inChunks(text: string | Buffer, size: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

async function detect(text: string | Buffer, size = 16, limit = 10_000): Promise<string> {
  const { format, chunks } = await detectFormat(inChunks(text, size), limit);
  const again: Buffer[] = [];
  for await (const chunk of chunks) again.push(chunk);
  expect(Buffer.concat(again)).toEqual(Buffer.from(text));
  return format;
}

const pretty = JSON.stringify({ messages: [{ role: "user", content: "x" }] }, undefined, 2);

describe("formatByName", () => {
  it.each([
    ["a.jsonl", "jsonl"],
    ["a.ndjson", "jsonl"],
    ["A.JSONL", "jsonl"],
    ["dir.json/a.jsonl", "jsonl"],
    ["a.json", "json"],
    ["a.txt", undefined],
    ["a", undefined],
    ["dir.json/a", undefined],
    ["-", undefined],
    [".json", "json"],
  ])("%s: %s", (path, format) => {
    expect(formatByName(path)).toBe(format);
  });
});

describe("detectFormat", () => {
  it.each([
    ["nothing", "", "text"],
    ["blank lines", "\n\n", "text"],
    ["prose", "fix this bug", "text"],
    ["prose in several lines", "fix this bug\nplease\n", "text"],
    ["prose that starts with a brace", "{ is a brace", "text"],
    ["code that starts with a brace", "{\n  a: 1\n}\n", "text"],
    ["code of several blocks", "{ let a; }\n{ let b; }\n", "text"],
    ["code with an empty object after it", "{ let a; }\n{}\n", "jsonl"],
    ["prose before an object", 'what is this?\n{"a": 1}\n{"b": 2}\n', "text"],
    ["a string", '"hello"', "json"],
    ["a number", "7", "json"],
    ["a list", '[{"role": "user", "content": "x"}]', "json"],
    ["a list in several lines", '[\n{"role": "user"},\n{"role": "user"}\n]\n', "json"],
    ["one object on a line", '{"prompt": "x"}', "json"],
    ["one object on a line with an end", '{"prompt": "x"}\n', "json"],
    ["one object among blank lines", '\n\n{"prompt": "x"}\n\n', "json"],
    ["one object, pretty-printed", pretty, "json"],
    ["one object, pretty-printed, with objects of a line", '{\n"a":\n{"b": 1},\n"c":\n{"d": 1}\n}', "json"],
    ["two objects", '{"a": 1}\n{"b": 2}\n', "jsonl"],
    ["two objects after blank lines", '\r\n\r\n{"a": 1}\r\n\r\n{"b": 2}\r\n', "jsonl"],
    ["two objects after a byte order mark", '\ufeff{"a": 1}\n{"b": 2}\n', "jsonl"],
    ["one object after a byte order mark", '\ufeff{"a": 1}', "json"],
    ["two objects, the last line without an end", '{"a": 1}\n{"b": 2}', "jsonl"],
    ["two objects, the first indented", '  {"a": 1}\n{"b": 2}\n', "jsonl"],
    ["objects, the first line broken", '{"a": \n{"b": 2}\n{"c": 3}\n', "jsonl"],
    ["objects, the second line broken", '{"a": 1}\n{"b": \n{"c": 3}\n', "jsonl"],
    ["an object and a broken one", '{"a": 1}\n{"b": ', "jsonl"],
    ["a broken object and a whole one", '{"a": \n{"b": 1}', "jsonl"],
    ["a cut object, as a brace may begin prose", '{"prompt": "fix', "text"],
    ["lists on lines of their own", '[{"role":"user"}]\n[{"role":"user"}]\n', "text"],
    ["an object, then something else", '{"a": 1}\nhello\n', "text"],
  ])("tells what %s is", async (_, text, format) => {
    for (const size of [1, 3, 1000]) expect(await detect(text, size)).toBe(format);
  });

  it("does not read on when it knows", async () => {
    let read = 0;
    async function* endless(): AsyncGenerator<Buffer> {
      for (;;) {
        read++;
        yield Buffer.from('{"a": 1}\n');
      }
    }
    const { format, chunks } = await detectFormat(endless(), 10_000);
    expect([format, read]).toEqual(["jsonl", 2]);
    await chunks[Symbol.asyncIterator]().return?.();
  });

  it("closes its input when the reader stops early", async () => {
    let closed = false;
    async function* watched(): AsyncGenerator<Buffer> {
      try {
        for (;;) yield Buffer.from('{"a": 1}\n');
      } finally {
        closed = true;
      }
    }
    const { chunks } = await detectFormat(watched(), 10_000);
    let seen = 0;
    for await (const _ of chunks) if (++seen === 5) break;
    expect(closed).toBe(true);
  });

  it.each([
    ["JSONL, if it is an object's line that goes on", `{"prompt": "${"x".repeat(200)}`, "jsonl"],
    ["JSONL, if there was an object before", `{"a": 1}\n{"prompt": "${"x".repeat(200)}`, "jsonl"],
    ["text, if it is prose", "x".repeat(200), "text"],
    ["text, if it is a list", `[${"1,".repeat(100)}`, "text"],
  ])("takes what is longer than a record may be for %s", async (_, text, format) => {
    expect(await detect(text, 10, 100)).toBe(format);
  });
});
