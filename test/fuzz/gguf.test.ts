import { execFile } from "node:child_process";
import { readdirSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { readGgufHeader } from "../../src/engine/gguf.js";
import { array, ggufBytes, numbers, scalar, string, strings } from "../helpers/gguf-writer.js";
import { temporaryFolder } from "../helpers/run-cli.js";

const corpus = fileURLToPath(new URL("../fixtures/gguf-corpus/", import.meta.url));
const script = fileURLToPath(new URL("gguf.mjs", import.meta.url));

/** What a header check says of a file, in CPU milliseconds that are its own. */
function answer(path: string): string {
  const before = process.cpuUsage();
  let text = "read";
  try {
    readGgufHeader(path);
  } catch (error) {
    expect(error).toMatchObject({ code: "E_MODEL" });
    text = (error as Error).message;
  }
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1000, text).toBeLessThan(1000);
  return text;
}

describe("the corpus", () => {
  const files = readdirSync(corpus);

  it.each(files)("%s is answered", (name) => {
    answer(join(corpus, name));
  });

  it("is small", () => {
    expect(files.length).toBeLessThanOrEqual(40);
    expect(files.every((name) => statSync(join(corpus, name)).size < 4096)).toBe(true);
  });
});

it("two seconds of fuzzing find nothing", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [script, "2"]);
  const { inputs, failed } = JSON.parse(stdout.split("\n")[0] ?? "") as { inputs: number; failed?: string };
  expect(failed).toBeUndefined();
  expect(inputs).toBeGreaterThan(100);
});

// A hole makes a file of any size, so that no count in it is too large for what there is to read.
describe("a header within a file of a terabyte is answered in a second:", () => {
  const huge = (bytes: Buffer): string => {
    const path = join(temporaryFolder(), "huge.gguf");
    writeFileSync(path, bytes);
    truncateSync(path, 2 ** 40);
    return answer(path);
  };
  const entry = (key: string, value: Buffer) => ggufBytes({ metadata: [[key, value]] });

  it.each<[string, Buffer, RegExp]>([
    ["2^30 entries", ggufBytes({ pairCount: 2n ** 30n }), /more than any router has/],
    ["2^30 tensors", ggufBytes({ tensorCount: 2n ** 30n }), /more than any router has/],
    ["2^16 empty entries", ggufBytes({ pairCount: 2n ** 16n }), /no proper name/],
    ["2^30 tokens", entry("tokenizer.ggml.tokens", strings([], 2n ** 30n)), /more than any router has/],
    ["2^22 empty tokens", entry("tokenizer.ggml.tokens", strings([], 2n ** 22n)), /^read$/],
    ["2^22 empty texts", entry("x", strings([], 2n ** 22n)), /^read$/],
    ["2^36 numbers", entry("arch_route.x", numbers("f32", [], 2n ** 36n)), /header is longer/],
    ["2^20 numbers to keep", entry("arch_route.x", numbers("u8", [], 2n ** 20n)), /^read$/],
    ["a text of 2^38 bytes", entry("x", string("", 2n ** 38n)), /header is longer/],
    ["2^22 texts of a megabyte", entry("x", array(8, [], 2n ** 22n)), /^read$/],
    [
      "one key twice",
      ggufBytes({
        metadata: [
          ["x", scalar("u8", 1)],
          ["x", scalar("u8", 2)],
        ],
      }),
      /there twice/,
    ],
  ])("%s", (_, bytes, message) => {
    expect(huge(bytes)).toMatch(message);
  });
});
