import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { findInOllama } from "../../src/io/ollama-store.js";
import { sha256Of } from "../helpers/hub-server.js";
import { folderWith } from "./temporary-files.js";

const sum = sha256Of(Buffer.from("GGUF"));
const layer = (digest: unknown, mediaType = "application/vnd.ollama.image.model") => ({ mediaType, digest });
const withManifest = (text: string, tag = "hf.co/a/B-GGUF/Q8_0") =>
  folderWith({ [`manifests/${tag}`]: text, [`blobs/sha256-${sum}`]: "GGUF", "blobs/secret": "GGUF", secret: "GGUF" });
const manifest = (...layers: object[]) => JSON.stringify({ layers });

describe("findInOllama", () => {
  it.each([
    ["hf.co/a/B-GGUF/Q8_0", "B-Q8_0.gguf"],
    ["HF.co/A/b-gguf/q8_0", "B-q8_0.gguf"],
    ["huggingface.co/a/B-GGUF/latest", "B-Q4_K_M.gguf"],
  ])("finds %s", async (tag, file) => {
    const store = withManifest(
      manifest(layer(`sha256:${"0".repeat(64)}`, "application/json"), layer(`sha256:${sum}`)),
      tag,
    );
    expect(await findInOllama(store, "a", "B-GGUF")).toEqual([
      { path: join(store, "blobs", `sha256-${sum}`), store: "ollama", file, size: 4, sha256: sum },
    ]);
  });

  it.each([
    "",
    "{",
    "null",
    "[]",
    "{}",
    manifest(),
    manifest(layer(`sha256:${sum}`, "other")),
    manifest(layer(sum)),
    manifest(layer("sha256:../secret")),
    manifest(layer("sha256:../../secret")),
    manifest(layer(`sha256:${sum}/../../secret`)),
    manifest(layer(`sha256-${sum}`)),
    manifest(layer(`sha256:${sum.toUpperCase()}x`)),
    manifest(layer(`sha256:${sum}\n`)),
    manifest(layer(7)),
    manifest(layer(`sha256:${"0".repeat(64)}`)),
    " ".repeat(2 << 20),
  ])("finds nothing by the manifest %#", async (text) => {
    expect(await findInOllama(withManifest(text), "a", "B-GGUF")).toEqual([]);
  });

  it.each(["registry.ollama.ai/a/B-GGUF/Q8_0", "hf.co/b/B-GGUF/Q8_0", "hf.co/a/B/Q8_0", "hf.co/a/B-GGUF"])(
    "finds nothing at %s",
    async (tag) => {
      expect(await findInOllama(withManifest(manifest(layer(`sha256:${sum}`)), tag), "a", "B-GGUF")).toEqual([]);
    },
  );

  it("finds nothing without ollama", async () => {
    expect(await findInOllama("/nowhere", "a", "b")).toEqual([]);
  });
});
