import { existsSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { adoptPart, newPart, tagOf } from "../../src/io/part-file.js";
import { temporaryFolder } from "../helpers/run-cli.js";

const dead = 2 ** 22 + 1;
const tag = tagOf('"etag"');

function leave(folder: string, size: number, pid = dead, file = "x.gguf"): string {
  const path = newPart(folder, file, tag).path.replace(`.${process.pid}-`, `.${pid}-`);
  writeFileSync(path, "x".repeat(size));
  return path;
}

it.each([
  [undefined, undefined],
  ["", undefined],
  ['W/"weak"', undefined],
  [["a", "b"], undefined],
  ['"strong"', expect.stringMatching(/^[0-9a-f]{16}$/)],
  ["../../x", expect.stringMatching(/^[0-9a-f]{16}$/)],
])("an ETag %j becomes %s", (etag, expected) => {
  expect(tagOf(etag)).toEqual(expected);
});

it("two parts of a process have two names", () => {
  expect(newPart("/f", "x", tag).path).not.toBe(newPart("/f", "x", tag).path);
  expect(basename(newPart("/f", "x", undefined).path)).toMatch(/^\.x\.none\./);
});

describe("adoptPart", () => {
  it("takes the largest one that nobody writes to any more", async () => {
    const folder = temporaryFolder();
    for (const size of [10, 30, 20]) leave(folder, size);
    leave(folder, 99, process.ppid);
    leave(folder, 99, dead, "y.gguf");
    writeFileSync(join(folder, "x.gguf"), "");
    const part = await adoptPart(folder, "x.gguf");
    expect(part?.tag).toBe(tag);
    expect(statSync(part?.path ?? "").size).toBe(30);
    expect(part?.path).toContain(`.${process.pid}-`);
    expect(readdirSync(folder)).toHaveLength(6);
  });

  it("gives each part to one of many", async () => {
    const folder = temporaryFolder();
    leave(folder, 10);
    const parts = await Promise.all(Array.from({ length: 20 }, () => adoptPart(folder, "x.gguf")));
    expect(parts.filter((part) => part !== undefined)).toHaveLength(1);
  });

  it("sweeps what is older than a day", async () => {
    const folder = temporaryFolder();
    const [old, young] = [leave(folder, 10, process.ppid, "y.gguf"), leave(folder, 10, process.ppid, "y.gguf")];
    utimesSync(old, 1, 1);
    expect(await adoptPart(folder, "x.gguf")).toBeUndefined();
    expect([old, young].map(existsSync)).toEqual([false, true]);
  });

  it("finds nothing in an empty folder", async () => {
    const folder = join(temporaryFolder(), "x");
    mkdirSync(folder);
    expect(await adoptPart(folder, "x.gguf")).toBeUndefined();
  });
});
