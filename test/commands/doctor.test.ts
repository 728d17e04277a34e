import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type DoctorTools, examine } from "../../src/commands/doctor.js";
import { ArchRouteError } from "../../src/core/errors.js";
import type { Probe } from "../../src/engine/probe-report.js";
import { embeddedModel } from "../../src/io/bundled.js";
import type { Finding } from "../../src/ui/format-doctor.js";
import { startCompletions } from "../helpers/completion-server.js";
import { routerFile } from "../helpers/router-file.js";
import { temporaryFolder } from "../helpers/run-cli.js";
import { addFiles } from "../io/temporary-files.js";

const bin = fileURLToPath(new URL("../../bin/arch-route.js", import.meta.url));
const report: Probe = {
  library: "3.22.1",
  llamaCpp: "v0.5.0",
  build: "prebuilt",
  mathCores: 2,
  gpu: false,
  devices: [],
  gpuLayers: 0,
  timings: [
    { threads: 2, milliseconds: 12 },
    { threads: 1, milliseconds: 11 },
  ],
};

interface Patient {
  readonly flags?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string | Buffer>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly tools?: DoctorTools;
}

/** What the doctor finds in a home of its own, by what was looked at. */
async function findings({ flags = {}, files = {}, env = {}, tools = {} }: Patient) {
  const home = temporaryFolder();
  addFiles(home, files);
  const stdout = Object.assign(new PassThrough(), { isTTY: false, columns: 80 });
  const io = {
    stdin: Object.assign(new PassThrough(), { isTTY: true }),
    stdout,
    stderr: Object.assign(new PassThrough(), { isTTY: false, columns: 80 }),
    env: { HOME: home, XDG_CACHE_HOME: join(home, "cache"), XDG_CONFIG_HOME: join(home, "config"), ...env },
    cwd: () => home,
  };
  const all = { machine: { cores: 2, quota: undefined, load: 0.1 }, probe: async () => report, ...tools };
  const code = await examine(flags, true, io, all);
  const list = (JSON.parse(String(stdout.read())) as { findings: Finding[] }).findings;
  return { code, found: new Map(list.map((finding) => [finding.what, finding])) };
}

describe("doctor", () => {
  it("has nothing to say of a sound machine", async () => {
    const { code, found } = await findings({});
    expect(code).toBe(0);
    expect([...found.values()].filter(({ state, advice }) => state !== "ok" || advice !== null)).toEqual([]);
    expect([...found.keys()]).toEqual([
      "Node",
      "configuration",
      "home",
      "cache",
      "model",
      "threads",
      "library",
      "GPU",
      "one token",
    ]);
    expect(found.get("library")?.detail).toBe("node-llama-cpp 3.22.1, llama.cpp v0.5.0, prebuilt");
    expect(found.get("threads")?.detail).toBe("2, chosen from 2 cores to run on, no quota, load 0.10");
    expect(found.get("one token")?.detail).toBe(
      "12.0 ms with 2 threads, 11.0 ms with 1 thread; 2 cores good for arithmetic",
    );
  });

  it.each<[string, Patient, string, Partial<Finding>, number]>([
    [
      "one core",
      { tools: { machine: { cores: 1, quota: undefined, load: 0 } } },
      "threads",
      { state: "ok", detail: "1, chosen from 1 core to run on, no quota, load 0.00" },
      0,
    ],
    [
      "a quota",
      { tools: { machine: { cores: 8, quota: 1.5, load: 0 } } },
      "threads",
      { detail: expect.stringMatching(/^1, .*a quota of 1.5/) },
      0,
    ],
    [
      "too many threads",
      { flags: { threads: "9" } },
      "threads",
      { state: "warning", advice: expect.stringMatching(/leave --threads out/) },
      0,
    ],
    [
      "threads that wait for each other",
      {
        tools: {
          probe: async () => ({
            ...report,
            timings: [
              { threads: 2, milliseconds: 3000 },
              { threads: 1, milliseconds: 11 },
            ],
          }),
        },
      },
      "one token",
      { state: "warning", advice: expect.stringMatching(/--threads 1/) },
      0,
    ],
    ["no HOME", { env: { HOME: "" } }, "home", { state: "warning", advice: expect.stringMatching(/set HOME/) }, 0],
    [
      "a HOME that is not there",
      { env: { HOME: "/nowhere/x" } },
      "home",
      { state: "warning", detail: "/nowhere/x does not exist" },
      0,
    ],
    [
      "a cache that cannot be made",
      { env: { XDG_CACHE_HOME: "/dev/null/x" } },
      "cache",
      { state: "warning", advice: expect.stringMatching(/XDG_CACHE_HOME/) },
      0,
    ],
    [
      "a missing model",
      { flags: { model: "nothing.gguf" } },
      "model",
      { state: "problem", detail: expect.stringMatching(/no such file/) },
      4,
    ],
    [
      "a model that is not here",
      { flags: { model: "arch-router" } },
      "model",
      { state: "problem", advice: expect.stringMatching(/models pull/) },
      4,
    ],
    [
      "a truncated model",
      {
        flags: { model: "./cut.gguf" },
        files: { "cut.gguf": readFileSync(embeddedModel.path).subarray(0, 2_000_000) },
      },
      "model",
      { state: "problem", detail: expect.stringMatching(/cut off/), advice: "download it again" },
      4,
    ],
    [
      "a broken configuration",
      { files: { "config/arch-route/config.yaml": "modle: mini\n" } },
      "configuration",
      { state: "problem", advice: "did you mean model?" },
      2,
    ],
    ["settings", { flags: { gpu: "off" } }, "configuration", { detail: "gpu from --gpu" }, 0],
    [
      "a project that is not trusted",
      { files: { ".arch-route.yaml": "model: ./x.gguf\n" } },
      "configuration",
      { state: "warning", detail: expect.stringMatching(/not trusted/) },
      0,
    ],
    [
      "a library that dies",
      {
        tools: {
          probe: () =>
            Promise.reject(
              new ArchRouteError("E_MODEL_DIED", "model process died (SIGABRT)", { hint: "try --gpu off" }),
            ),
        },
      },
      "library",
      { state: "problem", advice: "try --gpu off" },
      4,
    ],
    [
      "a library that is not there",
      { tools: { probe: () => Promise.reject(new Error("Cannot find package")) } },
      "library",
      { state: "problem", advice: expect.stringMatching(/install/) },
      4,
    ],
    [
      "a GPU",
      { tools: { probe: async () => ({ ...report, gpu: "cuda", devices: ["H100"], gpuLayers: 29 }) } },
      "GPU",
      { state: "ok", detail: "H100: cuda, 29 layers on it" },
      0,
    ],
    [
      "a GPU that mini does not need",
      { tools: { probe: async () => ({ ...report, devices: ["H100"] }) } },
      "GPU",
      { state: "ok", detail: expect.stringMatching(/H100: not used/) },
      0,
    ],
    [
      "a GPU that cannot be used",
      {
        tools: {
          probe: async ({ warn }) => {
            warn("gpu cuda: not usable here");
            return report;
          },
        },
      },
      "GPU",
      { state: "warning", detail: "gpu cuda: not usable here" },
      0,
    ],
  ])("tells of %s", async (_, patient, what, finding, expected) => {
    const { code, found } = await findings(patient);
    expect(found.get(what)).toMatchObject(finding);
    expect(code).toBe(expected);
  });

  it("tells a model that cannot be loaded from a library that does not work", async () => {
    const files = { "x.gguf": routerFile() };
    const probe: DoctorTools["probe"] = async ({ modelPath }) => {
      if (modelPath !== embeddedModel.path) throw new ArchRouteError("E_MODEL", "Failed to load model");
      return report;
    };
    const { code, found } = await findings({ flags: { model: "./x.gguf" }, files, tools: { probe } });
    expect(code).toBe(4);
    expect(found.get("model")).toMatchObject({ state: "problem", advice: "use --model mini, or another file" });
    expect(found.get("library")?.state).toBe("ok");
  });

  it("tells of a cache that others may write into", async () => {
    const cache = temporaryFolder();
    mkdirSync(join(cache, "arch-route"));
    chmodSync(join(cache, "arch-route"), 0o777);
    const { found } = await findings({ env: { XDG_CACHE_HOME: cache } });
    expect(found.get("cache")).toMatchObject({ state: "warning", advice: expect.stringMatching(/^run chmod go-w/) });
  });

  it("survives it all at once, in a process of its own", async () => {
    const folder = temporaryFolder();
    addFiles(folder, { "cut.gguf": readFileSync(embeddedModel.path).subarray(0, 2_000_000) });
    const env = { PATH: process.env["PATH"] ?? "", XDG_CACHE_HOME: "/dev/null/cache" };
    const child = spawn("taskset", ["-c", "0", process.execPath, bin, "doctor", "-m", "./cut.gguf"], {
      env,
      cwd: folder,
    });
    let stdout = "";
    child.stdout.on("data", (chunk) => {
      stdout += chunk;
    });
    const [code] = await once(child, "close");
    expect(code).toBe(4);
    expect(stdout).toMatch(/warning {2}home: HOME is not set/);
    expect(stdout).toMatch(/warning {2}cache: .*cannot be written/);
    expect(stdout).toMatch(/problem {2}model: .*cut off/);
    expect(stdout).toMatch(/ok {7}threads: 1, chosen from 1 core /);
    expect(stdout).toMatch(/ok {7}one token: [\d.]+ ms with 1 thread/);
  });
});

describe("a server in use", () => {
  it("is asked for a list, and what it is, is told", async () => {
    const models = { data: [{ id: "router", max_model_len: 8192 }] };
    const server = await startCompletions({ models, tokens: () => ({ a: 0.5, b: 0.25 }) });
    const { code, found } = await findings({ flags: { engine: "openai", url: server.url.href } });
    await server.close();
    expect([code, found.get("server")]).toEqual([
      0,
      {
        what: "server",
        state: "ok",
        detail: `${server.url.href} answers: router, a context of 8192 tokens, 2 likely tokens listed`,
        advice: null,
      },
    ]);
  });

  it("is a problem if it cannot be scored by", async () => {
    const server = await startCompletions({ tokens: () => ({}) });
    const { code, found } = await findings({ flags: { engine: "openai", url: server.url.href } });
    await server.close();
    expect(code).toBe(4);
    expect(found.get("server")).toMatchObject({
      state: "problem",
      detail: expect.stringContaining("log-probabilities"),
    });
  });
});
