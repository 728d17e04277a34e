import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { type CheckedFiles, createCheckedFiles, type Source } from "../../src/engine/checked-files.js";
import { temporaryFolder } from "../helpers/run-cli.js";

const SOURCE: Source = [[1, 2, 3]];
const CONTENT = "what was computed";

/** A folder that does not exist yet, within a cache folder. */
function place(cache = temporaryFolder()) {
  const folder = join(cache, "kind");
  const warnings: string[] = [];
  const open = (identity = "model") => createCheckedFiles({ folder, identity, warn: (text) => warnings.push(text) });
  const names = () => readdirSync(folder).sort();
  return { folder, warnings, open, names };
}

const store = (files: CheckedFiles, source = SOURCE, content = CONTENT) =>
  files.store(source, async (path) => {
    await writeFile(path, content);
    return content.length;
  });

/** The content that is found, as text. */
async function found(files: CheckedFiles, source = SOURCE): Promise<string | undefined> {
  const file = await files.find(source);
  return file && readFileSync(file.path).subarray(0, file.length).toString();
}

/** A folder with one file in it, and its path. */
async function kept() {
  const where = place();
  await store(where.open());
  const [name = ""] = where.names();
  return { ...where, path: join(where.folder, name) };
}

describe("a file", () => {
  it("is found again, by another process's object too, and is the user's alone", async () => {
    const { folder, open, path, warnings } = await kept();
    expect(await found(open())).toBe(CONTENT);
    expect([statSync(folder).mode & 0o777, statSync(path).mode & 0o777]).toEqual([0o700, 0o600]);
    expect(warnings).toEqual([]);
  });

  it("is not there before it was made, nor for another source or identity", async () => {
    const { open } = await kept();
    expect(await found(place().open())).toBeUndefined();
    expect(await found(open(), [[1, 2], [3]])).toBeUndefined();
    expect(await found(open("another model"))).toBeUndefined();
    expect(await found(open())).toBe(CONTENT);
  });

  it("is replaced by a newer one, and gone once removed", async () => {
    const { open, names } = await kept();
    await store(open(), SOURCE, "new");
    expect(await found(open())).toBe("new");
    await open().remove(SOURCE);
    expect(await found(open())).toBeUndefined();
    expect(names()).toEqual([]);
  });

  it("may be empty, or larger than what is read at once", async () => {
    for (const content of ["", "x".repeat(3_000_001)]) {
      const { open } = place();
      await store(open(), SOURCE, content);
      expect(await found(open())).toBe(content);
    }
  });
});

describe("a damaged file is not handed out, and is removed:", () => {
  it("any byte of it flipped", async () => {
    const { open, path } = await kept();
    const good = readFileSync(path);
    for (let at = 0; at < good.length; at++) {
      const bad = Buffer.from(good);
      bad.writeUInt8(bad.readUInt8(at) ^ 1, at);
      writeFileSync(path, bad, { mode: 0o600 });
      expect(await found(open()), `byte ${at}`).toBeUndefined();
      expect(existsSync(path), `byte ${at}`).toBe(false);
    }
  });

  it("cut at any length", async () => {
    const { open, path } = await kept();
    const good = readFileSync(path);
    for (let length = 0; length < good.length; length++) {
      writeFileSync(path, good, { mode: 0o600 });
      truncateSync(path, length);
      expect(await found(open()), `${length} bytes`).toBeUndefined();
      expect(existsSync(path), `${length} bytes`).toBe(false);
    }
  });

  it.each<[string, (path: string) => void | Promise<void>]>([
    ["longer than it was", (path) => writeFileSync(path, "\0", { flag: "a" })],
    ["other bytes", (path) => writeFileSync(path, Buffer.alloc(500, 0xff))],
    ["one that others may write", (path) => chmodSync(path, 0o622)],
    ["a link to a good one", (path) => symlinkSync(moved(path), path)],
    ["a pipe", (path) => void (moved(path) && execFileSync("mkfifo", ["-m", "600", path]))],
    ["that of another source", async (path) => (await other([[9]]))(path)],
    ["that of another identity", async (path) => (await other(SOURCE, "another model"))(path)],
  ])("%s", async (_, damage) => {
    const { open, path, warnings } = await kept();
    await damage(path);
    expect(await found(open())).toBeUndefined();
    // A link cannot even be opened; it is replaced as any other file.
    expect(existsSync(path) && !lstatSync(path).isSymbolicLink()).toBe(false);
    await store(open());
    expect(await found(open())).toBe(CONTENT);
    expect(lstatSync(path).isFile()).toBe(true);
    expect(warnings).toEqual([]);
  });

  /** Where a file is after it was put aside. */
  function moved(path: string): string {
    renameSync(path, `${path}.real`);
    return `${path}.real`;
  }

  /** Puts a good file of something else in a file's place. */
  async function other(source: Source, identity?: string) {
    const { open, folder, names } = place();
    await store(open(identity), source);
    return (path: string) => renameSync(join(folder, names()[0] ?? ""), path);
  }
});

describe("a folder that is no place for files costs one warning, and nothing else:", () => {
  it.each<[string, (folder: string) => void, RegExp]>([
    ["others may write into it", (folder) => mkdirWith(folder, 0o777), /others may write into it/],
    ["a group may", (folder) => mkdirWith(folder, 0o770), /run chmod go-w '.*kind'/],
    ["others may write into the one around it", (folder) => chmodSync(dirname(folder), 0o777), /others may write/],
    ["it is a link", (folder) => symlinkSync(temporaryFolder(), folder), /it is a link/],
    ["it is a file", (folder) => writeFileSync(folder, ""), /cannot be made/],
    ["there is a file where the one around it should be", (folder) => replaceByFile(dirname(folder)), /cannot be made/],
  ])("%s", async (_, spoil, message) => {
    const { folder, open, warnings } = place();
    spoil(folder);
    const files = open();
    await store(files);
    await store(files);
    expect(await found(files)).toBeUndefined();
    expect(warnings).toEqual([expect.stringMatching(message)]);
    if (existsSync(folder) && statSync(folder).isDirectory()) expect(readdirSync(folder)).toEqual([]);
  });

  it.runIf(process.getuid?.() === 0)("it belongs to another user", async () => {
    const { chownSync } = await import("node:fs");
    const { folder, open, warnings } = place();
    mkdirSync(folder);
    chownSync(folder, 12_345, 12_345);
    await store(open());
    expect(warnings).toEqual([expect.stringMatching(/belongs to another user/)]);
  });

  it.for<[string, string, (cache: string) => void, RegExp]>([
    ["full", "size=100k", (cache) => fill(join(cache, "filler")), /no space left/i],
    ["read-only", "size=1m", (cache) => void execFileSync("mount", ["-o", "remount,ro", cache]), /read-only/],
  ])("it is %s", async ([_, size, spoil, message], { skip }) => {
    const cache = temporaryFolder();
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", `${size},mode=700`, "tmpfs", cache], { stdio: "ignore" });
    } catch {
      return skip("a small disk can only be made by root");
    }
    try {
      const { open, names, warnings } = place(cache);
      await store(open());
      spoil(cache);
      const files = open();
      for (const source of [[[4]], [[5]]]) await store(files, source, "x".repeat(50_000));
      // What was kept before can be read still.
      expect(await found(files)).toBe(CONTENT);
      expect(warnings).toEqual([expect.stringMatching(message)]);
      expect(names()).toHaveLength(1);
    } finally {
      execFileSync("umount", ["-l", cache]);
    }
  });

  it.each<[string, (path: string) => Promise<number>]>([
    ["what fails to write", () => Promise.reject(new Error("no"))],
    ["what writes less than it says", (path) => writeFile(path, "half").then(() => 8)],
    ["what writes more", (path) => writeFile(path, "double").then(() => 3)],
  ])("%s leaves nothing behind", async (_, write) => {
    const { open, names, warnings } = place();
    const files = open();
    await files.store(SOURCE, write);
    await files.store(SOURCE, write);
    expect(names()).toEqual([]);
    expect(warnings).toEqual([expect.stringMatching(/cannot be written/)]);
  });
});

function mkdirWith(folder: string, mode: number): void {
  mkdirSync(folder);
  chmodSync(folder, mode);
}

function replaceByFile(folder: string): void {
  rmSync(folder, { recursive: true });
  writeFileSync(folder, "");
}

function fill(path: string): void {
  try {
    writeFileSync(path, Buffer.alloc(1 << 20));
  } catch {
    // That is the point.
  }
}

describe("the folder", () => {
  it("keeps the 20 files that were used last", async () => {
    const { open, folder, names } = place();
    const files = open();
    for (let index = 0; index < 20; index++) await store(files, [[index]]);
    for (const name of names()) utimesSync(join(folder, name), 1_000_000, 1_000_000);
    expect(await found(files, [[7]])).toBe(CONTENT);
    await store(files, [[20]]);
    expect(names()).toHaveLength(20);
    for (let index = 21; index < 39; index++) await store(files, [[index]]);
    expect(names()).toHaveLength(20);
    expect(await found(files, [[7]])).toBe(CONTENT);
  });

  it("loses temporary files that are older than a day, and nothing else", async () => {
    const { open, folder, names } = place();
    await store(open());
    const [name = ""] = names();
    const [old, young, foreign] = [`.${name}.1.00000000.tmp`, `.${name}.2.00000000.tmp`, "notes"];
    for (const each of [old, young, foreign]) writeFileSync(join(folder, each), "");
    const ago = Date.now() / 1000 - 25 * 60 * 60;
    for (const each of [old, foreign]) utimesSync(join(folder, each), ago, ago);
    await store(open());
    expect(names()).toEqual([young, name, foreign].sort());
  });

  it("serves many at once with whole files only", async () => {
    const { open, names } = place();
    const content = "y".repeat(500_000);
    const work = Array.from({ length: 20 }, async (_, index) => {
      const files = open();
      if (index % 2 === 0) await store(files, SOURCE, content);
      return (await found(files)) ?? content;
    });
    expect(new Set(await Promise.all(work))).toEqual(new Set([content]));
    expect(names()).toHaveLength(1);
  });
});
