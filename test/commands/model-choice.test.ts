import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, symlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { embeddedModel } from "../../src/io/bundled.js";
import { resolveConfig } from "../../src/io/config.js";
import { children } from "../helpers/children.js";
import { FILE, REPOSITORY } from "../helpers/hub-server.js";
import { temporaryFolder } from "../helpers/run-cli.js";
import { addFiles } from "../io/temporary-files.js";

// The program as it is shipped, which `npm test` builds first: it starts processes of its own.
const shipped = new URL("../../dist/commands/open-engine.js", import.meta.url).href;
const { openEngine }: typeof import("../../src/commands/open-engine.js") = await import(shipped);

// The embedded model stands in for Arch-Router's weights: what matters here is where a file lies, and that it is loaded.
const blob = embeddedModel.sha256;
const layer = { mediaType: "application/vnd.ollama.image.model", digest: `sha256:${blob}` };
const ollamaBlob = `.ollama/models/blobs/sha256-${blob}`;
const bin = fileURLToPath(new URL("../../bin/arch-route.js", import.meta.url));
const hub = ".cache/huggingface/hub/models--katanemo--Arch-Router-1.5B.gguf";

/** What the user is told, and which model answers, twice in a home in which the model lies at a path. */
async function openTwice(prepare: (home: string) => void) {
  const home = temporaryFolder();
  prepare(home);
  const said: string[] = [];
  const advise = (message: string) => said.push(message.replace(home, "~"));
  let model = "";
  for (let run = 0; run < 2; run++) {
    const config = await resolveConfig({}, { env: { HOME: home }, cwd: () => home });
    const engine = await openEngine(config, { isolated: false, warn: () => undefined, advise });
    model = engine.model;
    await engine.dispose();
  }
  return { said, model };
}

describe("the choice is told once, on a machine with", () => {
  it("nothing: mini, and how to get the better one", async () => {
    expect(await openTwice(() => undefined)).toEqual({
      model: "arch-route-mini",
      said: [
        "routed by the embedded small model; Arch-Router understands more, get it with: arch-route models pull arch-router:q4_k_m",
      ],
    });
  });

  it("a file of ollama's, which is used in place", async () => {
    const { said } = await openTwice(addOllama);
    const text = `routed by ${FILE}, which ollama keeps in ~/${ollamaBlob}; another one: --model, arch-route models`;
    expect(said).toEqual([text]);
  });

  it("a file in Hugging Face's cache, which is used in place", async () => {
    const place = `${hub}/snapshots/${"a".repeat(40)}/${FILE}`;
    const { said } = await openTwice((home) => {
      put(home, `${hub}/blobs/${blob}`);
      mkdirSync(dirname(join(home, place)), { recursive: true });
      symlinkSync(join("..", "..", "blobs", blob), join(home, place));
    });
    expect(said).toEqual([expect.stringContaining(`which Hugging Face keeps in ~/${place};`)]);
  });
});

describe("a file without a sum is loaded, in a process of its own, from", () => {
  it.each([
    ["LM Studio", `.lmstudio/models/${REPOSITORY}/${FILE}`],
    ["llama.cpp", `.cache/llama.cpp/katanemo_Arch-Router-1.5B.gguf_${FILE}`],
  ])("%s", (_, place) => {
    const home = temporaryFolder();
    put(home, place);
    const env = { HOME: home, PATH: process.env["PATH"] ?? "" };
    const options = { env, cwd: home, encoding: "utf8" } as const;
    const { status, stdout } = spawnSync(process.execPath, [bin, "--json", "fix this bug"], options);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ route: "bug_fixing", model: basename(place, ".gguf") });
  });
});

it.skipIf(process.platform !== "linux").each([
  ["mini in this process", () => undefined, 0],
  ["a file with a sum in one of its own, where a GPU's driver may abort", addOllama, 1],
])("a single routing runs %s", async (_, prepare, processes) => {
  const home = temporaryFolder();
  prepare(home);
  const config = await resolveConfig({}, { env: { HOME: home }, cwd: () => home });
  const before = children();
  const engine = await openEngine(config, { isolated: false, warn: () => undefined });
  const started = children().filter((pid) => !before.includes(pid));
  await engine.dispose();
  expect(started).toHaveLength(processes);
});

function addOllama(home: string): void {
  addFiles(home, { [`.ollama/models/manifests/hf.co/${REPOSITORY}/Q4_K_M`]: JSON.stringify({ layers: [layer] }) });
  put(home, ollamaBlob);
}

function put(home: string, place: string): void {
  mkdirSync(dirname(join(home, place)), { recursive: true });
  copyFileSync(embeddedModel.path, join(home, place));
}
