import { describe, expect, it } from "vitest";
import { readAll, splitLines } from "../../src/io/lines.js";

async function* inChunks(text: string | Buffer, size: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

async function linesOf(text: string, size = 1000, limit = 1000): Promise<(string | undefined)[]> {
  const lines: (string | undefined)[] = [];
  for await (const { number, bytes } of splitLines(inChunks(text, size), limit)) {
    expect(number).toBe(lines.length + 1);
    lines.push(bytes?.toString());
  }
  return lines;
}

describe("splitLines", () => {
  it.each([
    ["nothing", "", []],
    ["a line without an end", "a", ["a"]],
    ["a line", "a\n", ["a"]],
    ["blank lines, kept", "\na\n\n\nb\n", ["", "a", "", "", "b"]],
    ["carriage returns before a line feed, dropped", "a\r\nb\r\n", ["a", "b"]],
    ["a carriage return within a line, kept", "a\rb\n", ["a\rb"]],
    ["a carriage return at the very end, dropped", "a\r\nb\r", ["a", "b"]],
    ["characters of several bytes", "ä€😀\nß\n", ["ä€😀", "ß"]],
  ])("splits %s, however it is cut", async (_, text, expected) => {
    for (const size of [1, 2, 3, 7, 1000]) expect(await linesOf(text, size)).toEqual(expected);
  });

  it("passes over a line that is too long and goes on with the next", async () => {
    for (const size of [1, 3, 1000])
      expect(await linesOf("12345\n123456\n12\n", size, 5)).toEqual(["12345", undefined, "12"]);
  });

  it("passes over a long last line without an end", async () => {
    expect(await linesOf("12\n123456", 2, 5)).toEqual(["12", undefined]);
  });

  it("passes over a line of 200 MB without holding it", async () => {
    const chunk = Buffer.alloc(1 << 20, "x");
    async function* endless(): AsyncGenerator<Buffer> {
      for (let i = 0; i < 200; i++) yield chunk;
      yield Buffer.from("\nnext\n");
    }
    const before = process.memoryUsage().arrayBuffers;
    const lines: (string | undefined)[] = [];
    for await (const { bytes } of splitLines(endless(), 1024)) lines.push(bytes?.toString());
    expect(lines).toEqual([undefined, "next"]);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 22);
  });
});

describe("readAll", () => {
  it.each([1, 2, 100])("joins chunks of %i bytes", async (size) => {
    expect((await readAll(inChunks("ä€😀\n", size), 100))?.toString()).toBe("ä€😀\n");
  });

  it("reads exactly as much as allowed", async () => {
    expect((await readAll(inChunks("12345", 2), 5))?.toString()).toBe("12345");
  });

  it("stops reading when it is more", async () => {
    let read = 0;
    async function* endless(): AsyncGenerator<Buffer> {
      for (;;) {
        read++;
        yield Buffer.alloc(10);
      }
    }
    expect(await readAll(endless(), 25)).toBeUndefined();
    expect(read).toBe(3);
  });
});
