import { chmodSync, existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Llama, LlamaLogLevel } from "node-llama-cpp";
import { describe, expect, it } from "vitest";
import { createQuickStart } from "../../src/engine/quick-start.js";

const entry = createRequire(import.meta.url).resolve("node-llama-cpp");
const options = { logLevel: LlamaLogLevel.error, logger: () => undefined, maxThreads: 1, debug: false } as const;
const folder = () => mkdtempSync(join(tmpdir(), "arch-route-test-"));
const note = (cache: string) => join(cache, "native-binary");

// Elsewhere the library does not try its binary first, and there is nothing to shorten.
describe.runIf(process.platform === "linux")("a quick start", () => {
  it("is not made before the binary is known to run", async () => {
    expect(await createQuickStart(entry, Llama, folder()).start(options)).toBeUndefined();
  });

  it("loads a model once a success is remembered", async () => {
    const cache = join(folder(), "new");
    const quick = createQuickStart(entry, Llama, cache);
    quick.remember();
    const llama = await quick.start(options);
    const model = await llama?.loadModel({ modelPath: "models/arch-route-mini.gguf" });
    expect(model?.tokenize("fix this bug").length).toBe(3);
    await llama?.dispose();
    expect(statSync(note(cache)).mode & 0o777).toBe(0o600);
  });

  it.each([
    ["size", 1],
    ["time", 2],
    ["inode", 3],
    ["Node", 4],
    ["machine", 5],
    ["kernel", 6],
  ])("is not made when the %s is another", async (_, line) => {
    const cache = folder();
    const quick = createQuickStart(entry, Llama, cache);
    quick.remember();
    const lines = readFileSync(note(cache), "utf8").split("\n");
    writeFileSync(note(cache), lines.with(line, "other").join("\n"));
    expect(await quick.start(options)).toBeUndefined();
  });

  it.each([
    ["a class without its internals", {}],
    ["internals that fail", { _create: () => Promise.reject(new Error("changed")) }],
  ])("is not made with %s", async (_, llamaClass) => {
    const quick = createQuickStart(entry, llamaClass, folder());
    quick.remember();
    expect(await quick.start(options)).toBeUndefined();
  });

  it("is not made without a binary, or without a folder to remember in", async () => {
    const cache = folder();
    const elsewhere = createQuickStart(join(folder(), "index.js"), Llama, cache);
    elsewhere.remember();
    expect(existsSync(note(cache))).toBe(false);
    expect(await elsewhere.start(options)).toBeUndefined();
    const nowhere = createQuickStart(entry, Llama, undefined);
    nowhere.remember();
    expect(await nowhere.start(options)).toBeUndefined();
  });

  it("bears a cache that cannot be written", () => {
    const cache = folder();
    chmodSync(cache, 0o500);
    expect(() => createQuickStart(entry, Llama, join(cache, "deeper")).remember()).not.toThrow();
    expect(() => createQuickStart(entry, Llama, "/dev/null/cache").remember()).not.toThrow();
  });
});
