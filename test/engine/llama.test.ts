import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createLlamaEngine } from "../../src/engine/llama.js";
import { embeddedModel } from "../../src/io/bundled.js";
import * as gguf from "../helpers/gguf-writer.js";
import { temporaryFolder } from "../helpers/run-cli.js";

const folder = temporaryFolder();
const mini = readFileSync(embeddedModel.path);
const routes = [
  { name: "bug_fixing", description: "Fixing bugs in code" },
  { name: "chat", description: "Small talk and jokes" },
];
const conversation = [{ role: "user", content: "my code crashes, please fix it" }] as const;

afterAll(() => rmSync(folder, { recursive: true }));

function write(bytes: Buffer | string): string {
  const path = join(folder, "model.gguf");
  writeFileSync(path, bytes);
  return path;
}

/** The embedded model, changed right after one of its metadata keys, where the value's type and the value are. */
function miniWith(key: string, change: (value: Buffer) => void): Buffer {
  const copy = Buffer.from(mini);
  const name = gguf.text(key);
  const at = copy.indexOf(name);
  expect(at).toBeGreaterThan(0);
  change(copy.subarray(at + name.length));
  return copy;
}

const miniWithout = (key: string) => {
  const copy = Buffer.from(mini);
  copy.write("x", copy.indexOf(key) + key.length - 1);
  return copy;
};
const chatml = gguf.strings(["a", "<|im_start|>", "<|im_end|>"]);

describe("a file that is no model is E_MODEL at once:", () => {
  it.each([
    ["empty", ""],
    ["text", "hello ".repeat(100)],
    ["a web page", "<!DOCTYPE html><html><body>Sign in</body></html>"],
    ["half of a model", mini.subarray(0, mini.length >> 1)],
    ["one with 2^62 metadata entries", gguf.ggufBytes({ pairCount: 2n ** 62n })],
    ["one with an empty key", gguf.ggufBytes({ metadata: [["", gguf.scalar("u8", 1)]] })],
  ])("%s", async (_, bytes) => {
    const modelPath = write(bytes);
    const before = performance.now();
    await expect(createLlamaEngine({ modelPath })).rejects.toMatchObject({
      name: "ArchRouteError",
      code: "E_MODEL",
      message: expect.stringContaining(`model ${modelPath}: not a usable GGUF file: `),
      hint: "download it again",
    });
    expect(performance.now() - before).toBeLessThan(1000);
  });

  it.each([
    ["a missing one", join(folder, "none.gguf"), /no such file/],
    ["a folder", folder, /EISDIR|not a file/],
  ])("%s", async (_, modelPath, message) => {
    await expect(createLlamaEngine({ modelPath })).rejects.toMatchObject({
      code: "E_MODEL",
      message: expect.stringMatching(message),
    });
  });
});

describe("a model that is no router is E_MODEL:", () => {
  it.each([
    ["a llama without ChatML", [["tokenizer.ggml.tokens", gguf.strings(["a", "b"])]], "llama"],
    ["a llama without a vocabulary", [], "llama"],
    ["another encoder", [["arch_route.kind", gguf.string("decoder")]], "bert"],
  ] as const)("%s", async (_, metadata, architecture) => {
    const modelPath = write(
      gguf.ggufBytes({ metadata: [["general.architecture", gguf.string(architecture)], ...metadata] }),
    );
    const before = performance.now();
    await expect(createLlamaEngine({ modelPath })).rejects.toMatchObject({
      code: "E_MODEL",
      message: `model ${modelPath}: not a router model: architecture ${architecture}, no ChatML tokens`,
    });
    expect(performance.now() - before).toBeLessThan(1000);
  });

  // The second one's cause is not asked for: the library may lose the log of a second start in one process.
  it.each([
    ["an architecture that nobody knows", "zzzzz", /^Failed to load model: .*unknown model architecture/],
    ["a llama with ChatML and nothing else", "llama", /^Failed to load model/],
  ])("%s, in the words of llama.cpp", async (_, architecture, cause) => {
    const modelPath = write(
      gguf.ggufBytes({
        metadata: [
          ["general.architecture", gguf.string(architecture)],
          ["tokenizer.ggml.tokens", chatml],
        ],
      }),
    );
    const error = await createLlamaEngine({ modelPath, gpu: "off" }).catch((thrown) => thrown);
    expect(error).toMatchObject({ name: "ArchRouteError", code: "E_MODEL" });
    const [, said] = error.message.split(`model ${modelPath}: cannot be loaded: `);
    expect(said).toMatch(cause);
  });
});

describe("a routing head is checked:", () => {
  it.each([
    ["no scale", miniWithout("arch_route.scale"), "scale"],
    ["no bias", miniWithout("arch_route.other.bias"), "other.bias"],
    ["no directions", miniWithout("arch_route.other.directions"), "other.directions"],
    ["no offsets", miniWithout("arch_route.other.offsets"), "other.offsets"],
    ["no count", miniWithout("arch_route.other.count"), "other.count"],
    [
      "2^32 - 1 directions",
      miniWith("arch_route.other.count", (value) => value.writeUInt32LE(2 ** 32 - 1, 4)),
      "other.count",
    ],
    ["fewer directions", miniWith("arch_route.other.count", (value) => value.writeUInt32LE(3, 4)), "other.count"],
    ["no number as scale", miniWith("arch_route.scale", (value) => value.writeFloatLE(NaN, 4)), "scale"],
    [
      "infinity in a direction",
      miniWith("arch_route.other.directions", (v) => v.writeFloatLE(Infinity, 16)),
      "other.directions",
    ],
  ])("%s", async (_, bytes, key) => {
    const modelPath = write(bytes);
    await expect(createLlamaEngine({ modelPath, threads: 1 })).rejects.toMatchObject({
      code: "E_MODEL",
      message: `model ${modelPath}: the routing head has no usable arch_route.${key}`,
    });
  });
});

describe("gpu", () => {
  it("is not even looked for by an encoder", async () => {
    const warnings: string[] = [];
    const engine = await createLlamaEngine({
      modelPath: embeddedModel.path,
      gpu: "cuda",
      threads: 1,
      warn: (message) => warnings.push(message),
    });
    await engine.dispose();
    expect(warnings).toEqual([]);
  });

  // Only a generative model asks for a GPU, and one that cannot be loaded is as good as any to see what it was told.
  it.skipIf(process.platform === "darwin" || existsSync("/dev/nvidia0"))(
    "that is not there is one warning, and the CPU is used",
    async () => {
      const warnings: string[] = [];
      const modelPath = write(
        gguf.ggufBytes({
          metadata: [
            ["general.architecture", gguf.string("llama")],
            ["tokenizer.ggml.tokens", chatml],
          ],
        }),
      );
      await expect(
        createLlamaEngine({ modelPath, gpu: "cuda", threads: 1, warn: (message) => warnings.push(message) }),
      ).rejects.toMatchObject({
        code: "E_MODEL",
        message: expect.stringContaining("cannot be loaded: Failed to load"),
      });
      expect(warnings).toEqual([expect.stringMatching(/^gpu cuda: not usable here \(.+\): running on the CPU$/)]);
    },
  );
});

describe("an engine", () => {
  it("has its file's name and rejects after dispose", async () => {
    const engine = await createLlamaEngine({ modelPath: embeddedModel.path, threads: 1, gpu: "off" });
    expect(engine.model).toBe("arch-route-mini");
    expect((await engine.rank(routes, conversation)).logProbabilities).toHaveLength(3);
    await engine.dispose();
    await expect(engine.rank(routes, conversation)).rejects.toThrow();
  });
});
