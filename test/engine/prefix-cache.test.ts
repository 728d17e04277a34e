import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createCheckedFiles } from "../../src/engine/checked-files.js";
import { createPrefixCache } from "../../src/engine/prefix-cache.js";
import { temporaryFolder } from "../helpers/run-cli.js";

const PREFIX = [5, 6, 7];

/** A cache in a folder, and a sequence whose state is one byte a token; `reader`: what native code makes of a file. */
function open(folder: string, reader = (path: string) => [...readFileSync(path).subarray(0, PREFIX.length)]) {
  let sequence: number[] = [];
  let loads = 0;
  const text = {
    evaluated: () => sequence,
    async truncate(position: number) {
      sequence = sequence.slice(0, position);
    },
    async saveState(path: string) {
      writeFileSync(path, Buffer.from(sequence));
      return sequence.length;
    },
    async loadState(path: string) {
      loads++;
      sequence = reader(path);
    },
  };
  const cache = createPrefixCache(text, createCheckedFiles({ folder, identity: "model" }));
  const evaluate = (tokens: number[]) => {
    sequence = tokens;
  };
  return { cache, evaluate, sequence: () => sequence, loads: () => loads };
}

async function kept(): Promise<string> {
  const folder = join(temporaryFolder(), "prefixes");
  const { cache, evaluate } = open(folder);
  evaluate(PREFIX);
  await cache.keep(PREFIX);
  return folder;
}

describe("a prefix", () => {
  it("that was kept fills the sequence", async () => {
    const { cache, sequence } = open(await kept());
    expect(await cache.restore(PREFIX)).toBe(true);
    expect(sequence()).toEqual(PREFIX);
  });

  it("that was not is not there, and native code sees nothing", async () => {
    const { cache, loads } = open(await kept());
    expect(await cache.restore([5, 6])).toBe(false);
    expect(loads()).toBe(0);
  });

  it("whose file is damaged is not there, and native code sees nothing", async () => {
    const folder = await kept();
    const path = join(folder, readdirSync(folder)[0] ?? "");
    const bytes = readFileSync(path);
    bytes.writeUInt8(bytes.readUInt8(0) ^ 1);
    writeFileSync(path, bytes);
    const { cache, loads } = open(folder);
    expect(await cache.restore(PREFIX)).toBe(false);
    expect(loads()).toBe(0);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe("a file from which native code makes something else", () => {
  it.each<[string, () => number[]]>([
    ["other tokens", () => [5, 6, 8]],
    ["fewer", () => [5, 6]],
    ["more", () => [5, 6, 7, 8]],
    [
      "nothing at all",
      () => {
        throw new Error("Failed to load state from file");
      },
    ],
  ])("%s: is removed, and the sequence is empty", async (_, reader) => {
    const folder = await kept();
    const { cache, sequence } = open(folder, reader);
    expect(await cache.restore(PREFIX)).toBe(false);
    expect(sequence()).toEqual([]);
    expect(readdirSync(folder)).toEqual([]);
  });
});
