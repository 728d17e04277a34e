import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { probeModel } from "../../src/engine/probe.js";
import { embeddedModel } from "../../src/io/bundled.js";
import { folderWith } from "../io/temporary-files.js";

const built = (name: string) => join(import.meta.dirname, "../../dist/engine", name);
const child = (code: string) => join(folderWith({ "child.mjs": code }), "child.mjs");

describe("probeModel", () => {
  it("loads the embedded model and times it", async () => {
    const report = await probeModel({
      entry: built("probe-main.js"),
      modelPath: embeddedModel.path,
      gpu: "off",
      threads: 2,
    });
    expect(report).toMatchObject({ library: "3.22.1", gpu: false, devices: [], gpuLayers: 0 });
    expect(report.timings.map(({ threads }) => threads)).toEqual([2, 1]);
    expect(report.timings.every(({ milliseconds }) => milliseconds > 0)).toBe(true);
  });

  it("says what is wrong with a model", async () => {
    const modelPath = join(folderWith({ "x.gguf": "GGUF" }), "x.gguf");
    const probe = probeModel({ entry: built("probe-main.js"), modelPath });
    await expect(probe).rejects.toMatchObject({
      code: "E_MODEL",
      message: /it has 4 bytes/,
      hint: "download it again",
    });
  });

  it("outlives native code that does not", async () => {
    const entry = child('process.on("message", () => process.kill(process.pid, "SIGABRT"));');
    await expect(probeModel({ entry, modelPath: "x" })).rejects.toMatchObject({
      code: "E_MODEL_DIED",
      message: /SIGABRT/,
    });
  });

  it("tries again without a GPU on which it crashes", async () => {
    const entry = child(`process.on("message", ({ options }) => {
      if (options.gpu === "off") return process.send({ kind: "report", report: { gpu: false } });
      process.send({ kind: "gpu", gpu: "cuda" }, () => process.kill(process.pid, "SIGABRT"));
    });`);
    const warnings: string[] = [];
    const report = await probeModel({ entry, modelPath: "x", warn: (text) => warnings.push(text) });
    expect(report).toEqual({ gpu: false });
    expect(warnings).toEqual([
      "gpu cuda: model process died (SIGABRT): running on the CPU; --gpu off spares the attempt",
    ]);
  });

  it("does not wait for ever", async () => {
    const entry = child('process.on("message", () => undefined);');
    await expect(probeModel({ entry, modelPath: "x", timeout: 300 })).rejects.toMatchObject({
      code: "E_MODEL",
      message: /more than 0.3 s/,
    });
  });

  it("passes warnings on", async () => {
    const entry = child(
      `import * as errors from ${JSON.stringify(pathToFileURL(built("../core/errors.js")).href)};
      process.on("message", () => { process.send({ kind: "warning", message: "no GPU" }); process.send({ kind: "failed", message: String(errors.BUG) }); });`,
    );
    const warnings: string[] = [];
    await expect(probeModel({ entry, modelPath: "x", warn: (text) => warnings.push(text) })).rejects.toMatchObject({
      message: "70",
    });
    expect(warnings).toEqual(["no GPU"]);
  });
});
