import { mkdtempSync, openSync, readFileSync, readSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ArchRouteError } from "../../src/core/errors.js";
import { readGgufHeader } from "../../src/engine/gguf.js";
import { embeddedModel } from "../../src/io/bundled.js";
import * as gguf from "../helpers/gguf-writer.js";

const folder = mkdtempSync(join(tmpdir(), "arch-route-gguf-"));

function write(bytes: Buffer | string, name = "model.gguf"): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

/** What is wrong with a file, as the error says; fails if there is no error, another one, or a slow one. */
function refusal(path: string): string {
  const before = performance.now();
  try {
    readGgufHeader(path);
  } catch (error) {
    expect(performance.now() - before).toBeLessThan(1000);
    expect(error).toBeInstanceOf(ArchRouteError);
    expect((error as ArchRouteError).code).toBe("E_MODEL");
    expect((error as ArchRouteError).message).toContain(path);
    return (error as ArchRouteError).message;
  }
  return "read without complaint";
}

const good: gguf.GgufFile = {
  metadata: [
    ["general.architecture", gguf.string("llama")],
    ["general.alignment", gguf.scalar("u32", 32)],
    ["tokenizer.ggml.tokens", gguf.strings(["a", "<|im_start|>", "<|im_end|>"])],
    ["tokenizer.ggml.scores", gguf.numbers("f32", [1, 2, 3])],
    ["arch_route.numbers", gguf.numbers("f32", [0.5, -2])],
  ],
  tensors: [
    { name: "one", dimensions: [4, 2] },
    { name: "two", dimensions: [32], type: 8, data: Buffer.alloc(34) },
  ],
};
const withEntry = (key: string, value: gguf.GgufBytes) => gguf.ggufBytes({ metadata: [[key, value]] });
const withTensor = (tensor: Partial<gguf.GgufTensor>) =>
  gguf.ggufBytes({ tensors: [{ name: "t", dimensions: [8], data: Buffer.alloc(32), ...tensor }] });

describe("a good file", () => {
  it("is read", () => {
    const { metadata, chatml, size } = readGgufHeader(write(gguf.ggufBytes(good)));
    expect(metadata.get("general.architecture")).toBe("llama");
    expect(chatml).toBe(true);
    expect(size).toBe(gguf.ggufBytes(good).length);
  });

  it.each([
    ["u8", 255],
    ["i8", -128],
    ["u16", 65535],
    ["i16", -32768],
    ["u32", 4294967295],
    ["i32", -2147483648],
    ["f32", -0.5],
    ["bool", true],
    ["bool", false],
    ["u64", 2 ** 53 - 1],
    ["i64", -(2 ** 53 - 1)],
    ["f64", 0.1],
  ] as const)("gives a %s of %s back", (kind, value) => {
    expect(readGgufHeader(write(withEntry("key", gguf.scalar(kind, value)))).metadata.get("key")).toBe(value);
  });

  it.each(["", "plain", "日本語 🙂", "a\0b"])("gives the text %j back", (value) => {
    expect(readGgufHeader(write(withEntry("key", gguf.string(value)))).metadata.get("key")).toBe(value);
  });

  it("has arrays of numbers under arch_route. only", () => {
    const { metadata } = readGgufHeader(
      write(
        gguf.ggufBytes({
          metadata: [
            ["arch_route.f32", gguf.numbers("f32", [0.5, -2])],
            ["arch_route.i8", gguf.numbers("i8", [-1, 2])],
            ["arch_route.none", gguf.numbers("f64", [])],
            ["arch_route.texts", gguf.strings(["a"])],
            ["other.f32", gguf.numbers("f32", [0.5, -2])],
            ["last", gguf.scalar("u8", 7)],
          ],
        }),
      ),
    );
    expect([...metadata]).toEqual([
      ["arch_route.f32", [0.5, -2]],
      ["arch_route.i8", [-1, 2]],
      ["arch_route.none", []],
      ["last", 7],
    ]);
  });

  it.each([
    [["<|im_start|>", "<|im_end|>"], true],
    [["x", "<|im_end|>", "y", "<|im_start|>"], true],
    [["<|im_start|>", "<|im_start|>"], false],
    [["<|im_start|>"], false],
    [["<|im_star|>", "<|im_end|>"], false],
    [["aaaaaaaaaaaa", "bbbbbbbbbb"], false],
    [[], false],
  ])("with the vocabulary %j has ChatML: %s", (tokens, chatml) => {
    expect(readGgufHeader(write(withEntry("tokenizer.ggml.tokens", gguf.strings(tokens)))).chatml).toBe(chatml);
  });

  it("may have a text or an array longer than what is read at a time", () => {
    const metadata = [
      ["long", gguf.string("x".repeat(3 << 20))],
      [
        "arch_route.long",
        gguf.numbers(
          "f32",
          Array.from({ length: 600_000 }, (_, index) => index),
        ),
      ],
      ["last", gguf.string("here")],
    ] as const;
    const header = readGgufHeader(write(gguf.ggufBytes({ metadata })));
    expect(header.metadata.get("last")).toBe("here");
    expect((header.metadata.get("arch_route.long") as readonly number[]).at(-1)).toBe(599_999);
  });

  it("may be of version 2 and have another alignment", () => {
    const metadata = [["general.alignment", gguf.scalar("u32", 64)]] as const;
    const bytes = gguf.ggufBytes({ version: 2, alignment: 64, metadata, tensors: [{ name: "t", dimensions: [3] }] });
    expect(readGgufHeader(write(bytes)).metadata.get("general.alignment")).toBe(64);
  });
});

describe("a bad file is refused by name:", () => {
  it.each([
    ["empty", "", /it has 0 bytes/],
    ["text", "hello, this is no model at all, just text", /does not begin with GGUF/],
    ["a web page", "<!DOCTYPE html><html><body>Sign in to continue</body></html>", /does not begin with GGUF/],
    ["shorter than a header", Buffer.from("GGUF\x03\0\0\0"), /it has 8 bytes/],
    ["version 1", gguf.ggufBytes({ ...good, version: 1 }), /its version is 1/],
    ["version 4", gguf.ggufBytes({ ...good, version: 4 }), /its version is 4/],
    ["big-endian", gguf.ggufBytes({ ...good, version: 0x03000000 }), /its version is 50331648/],
    ["2^62 metadata entries", gguf.ggufBytes({ ...good, pairCount: 2n ** 62n }), /metadata entries, more than/],
    ["2^62 tensors", gguf.ggufBytes({ ...good, tensorCount: 2n ** 62n }), /tensors, more than/],
    ["2^64 - 1 tensors", gguf.ggufBytes({ ...good, tensorCount: 2n ** 64n - 1n }), /tensors, more than/],
    ["one tensor too many", gguf.ggufBytes({ ...good, tensorCount: 3n }), /malformed|cut off|more than/],
    ["a text of 2^60 bytes", withEntry("key", gguf.string("short", 2n ** 60n)), /bytes of a text, more than/],
    ["a text one byte too long", withEntry("key", gguf.string("short", 48n)), /bytes of a text, more than/],
    ["an empty key", withEntry("", gguf.scalar("u8", 1)), /has no proper name/],
    ["a key of 70,000 bytes", withEntry("k".repeat(70_000), gguf.scalar("u8", 1)), /has no proper name/],
    ["a key of 2 MB", withEntry("k".repeat(2 << 20), gguf.scalar("u8", 1)), /has no proper name/],
    ["alignment 2^31", withEntry("general.alignment", gguf.scalar("u32", 2 ** 31)), /alignment is 2147483648/],
    ["alignment 3", withEntry("general.alignment", gguf.scalar("u32", 3)), /alignment is 3/],
    ["alignment 0", withEntry("general.alignment", gguf.scalar("u32", 0)), /alignment is 0/],
    ["alignment as a text", withEntry("general.alignment", gguf.string("32")), /alignment is not a u32/],
    ["alignment as a fraction", withEntry("general.alignment", gguf.scalar("f32", 1.5)), /alignment is not a u32/],
    ["alignment as a u64", withEntry("general.alignment", gguf.scalar("u64", 32)), /alignment is not a u32/],
    ["alignment as an array", withEntry("general.alignment", gguf.numbers("u32", [32])), /alignment is not a u32/],
    ["five dimensions", withTensor({ dimensions: [2, 2, 2, 2, 2] }), /tensor 0 has 5 dimensions/],
    [
      "2^32 - 1 dimensions",
      Buffer.concat([gguf.ggufBytes({ tensorCount: 1n }).subarray(0, 24), gguf.text("t"), Buffer.alloc(32, 255)]),
      /has 4294967295 dimensions/,
    ],
    ["a tensor with no elements", withTensor({ dimensions: [0] }), /tensor 0 is malformed/],
    ["a tensor without a name", withTensor({ name: "" }), /tensor 0 is malformed/],
    ["a tensor of 2^62 elements", withTensor({ dimensions: [2n ** 62n] }), /is cut off/],
    ["a tensor of 2^256 elements", withTensor({ dimensions: Array(4).fill(2n ** 63n) }), /is cut off/],
    ["a tensor of 2^62 elements of a new type", withTensor({ dimensions: [2n ** 62n], type: 39 }), /is cut off/],
    ["half a block of Q8_0", withTensor({ dimensions: [16], type: 8 }), /tensor 0 is malformed/],
    ["a tensor off the alignment", withTensor({ offset: 16 }), /tensor 0 is malformed/],
    ["a tensor beyond the file", withTensor({ offset: 32 }), /is cut off/],
    ["a tensor at 2^63", withTensor({ offset: 2n ** 63n }), /is cut off/],
    ["an array of arrays", withEntry("key", gguf.array(9, [gguf.numbers("u8", [1])])), /an array of arrays/],
    ["a value of type 13", withEntry("key", Buffer.concat([gguf.u32(13), gguf.u64(0)])), /unknown type 13/],
    ["a value of type 2^32 - 1", withEntry("key", Buffer.alloc(12, 255)), /unknown type 4294967295/],
    ["an array of type 13", withEntry("key", gguf.array(13, [gguf.u64(0)])), /unknown type 13/],
    ["an array of 2^61 numbers", withEntry("key", gguf.numbers("f32", [1], 2n ** 61n)), /array entries, more than/],
    ["2^61 numbers to keep", withEntry("arch_route.x", gguf.numbers("u8", [1], 2n ** 61n)), /array entries, more than/],
    ["an array of 2^61 texts", withEntry("key", gguf.strings(["a"], 2n ** 61n)), /array entries, more than/],
    ["2^61 tokens", withEntry("tokenizer.ggml.tokens", gguf.strings(["a"], 2n ** 61n)), /vocabulary entries, more/],
    ["a vocabulary of numbers", withEntry("tokenizer.ggml.tokens", gguf.numbers("u8", [1])), /vocabulary is not text/],
  ])("%s", (_, bytes, message) => {
    expect(refusal(write(bytes))).toMatch(message);
  });

  it("a folder", () => {
    expect(refusal(folder)).toMatch(/it is not a file|EISDIR/);
  });

  it("a missing one", () => {
    expect(refusal(join(folder, "missing.gguf"))).toMatch(/no such file$/);
  });

  it("one below a file", () => {
    expect(refusal(join(write("x", "plain"), "model.gguf"))).toMatch(/ENOTDIR|no such file/);
  });
});

describe("the embedded model", () => {
  const bytes = readFileSync(embeddedModel.path);

  it("is read", () => {
    expect(readGgufHeader(embeddedModel.path).metadata.get("arch_route.kind")).toBe("encoder");
  });

  it("is refused when it lacks any sixteenth of its end, or a byte", () => {
    const path = write(bytes, "cut.gguf");
    truncateSync(path, bytes.length - 1);
    expect(refusal(path)).toMatch(/is cut off/);
    for (let part = 15; part >= 0; part--) {
      truncateSync(path, Math.floor((bytes.length * part) / 16));
      expect(refusal(path), `${part}/16`).toMatch(part === 0 ? /has 0 bytes/ : /is cut off|more than it can hold/);
    }
  });

  it("is refused when it is cut within its header", () => {
    // 1 MB holds the vocabulary, the head and the tensors' list.
    for (let part = 0; part < 64; part++) {
      const path = write(bytes.subarray(0, Math.floor((2 ** 20 * part) / 64)), "cut.gguf");
      expect(refusal(path), `${part}/64`).toMatch(/bytes$|cut off|more than it can hold/);
    }
  });
});

describe("3,000 mutations of small files", () => {
  const seeds = [
    gguf.ggufBytes(good),
    gguf.ggufBytes({ ...good, version: 2, tensors: [] }),
    withTensor({ dimensions: [2, 2, 2, 2] }),
    head(embeddedModel.path, 4096),
  ];

  it("each give a header or E_MODEL, fast", () => {
    const random = generator(20260731);
    const pick = (below: number) => Math.floor(random() * below);
    const path = join(folder, "mutant.gguf");
    const outcomes = { read: 0, refused: 0 };
    for (let round = 0; round < 3000; round++) {
      const mutant = mutate(Buffer.from(seeds[pick(seeds.length)] as Buffer), pick, seeds);
      writeFileSync(path, mutant);
      const before = performance.now();
      try {
        expect(readGgufHeader(path).size).toBe(mutant.length);
        outcomes.read++;
      } catch (error) {
        const code = error instanceof ArchRouteError ? error.code : String(error);
        expect(code, `round ${round}: ${mutant.toString("base64")}`).toBe("E_MODEL");
        outcomes.refused++;
      }
      expect(performance.now() - before, `round ${round}`).toBeLessThan(1000);
    }
    // Both ways must have been tried, or the mutations are too tame or too wild.
    expect(outcomes.read).toBeGreaterThan(100);
    expect(outcomes.refused).toBeGreaterThan(1000);
  });
});

function mutate(bytes: Buffer, pick: (below: number) => number, seeds: readonly Buffer[]): Buffer {
  let mutant = bytes;
  for (let changes = 1 + pick(4); changes > 0; changes--) {
    const at = pick(mutant.length);
    switch (pick(6)) {
      case 0:
        mutant[at] = pick(256);
        break;
      case 1:
        mutant[at] = (mutant[at] ?? 0) ^ (1 << pick(8));
        break;
      case 2:
        mutant.subarray(at, at + 1 + pick(8)).fill(pick(2) * 255);
        break;
      case 3:
        mutant = mutant.subarray(0, at + 1);
        break;
      case 4: {
        const other = seeds[pick(seeds.length)] as Buffer;
        const from = pick(other.length);
        mutant = Buffer.concat([mutant.subarray(0, at), other.subarray(from, from + pick(64)), mutant.subarray(at)]);
        break;
      }
      default:
        mutant = Buffer.concat([
          mutant.subarray(0, at),
          mutant.subarray(at + 1 + pick(16)),
          Buffer.alloc(pick(2) * 64),
        ]);
    }
    if (mutant.length === 0) return Buffer.alloc(1);
  }
  return mutant;
}

/** Numbers in [0, 1), the same ones for the same seed (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

function head(path: string, bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  readSync(openSync(path, "r"), buffer, 0, bytes, 0);
  return buffer;
}
