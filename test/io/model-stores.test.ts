import { mkdirSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { findFolders } from "../../src/io/folders.js";
import { findModel } from "../../src/io/model-file.js";
import {
  findOwn,
  findStored,
  findStores,
  noStores,
  notePath,
  type Stores,
  writeNote,
} from "../../src/io/model-stores.js";
import { FILE, REPOSITORY, sha256Of } from "../helpers/hub-server.js";
import { routerFile } from "../helpers/router-file.js";
import { temporaryFolder } from "../helpers/run-cli.js";
import { addFiles, folderWith } from "./temporary-files.js";

const bytes = routerFile();
const sum = sha256Of(bytes);
const folders = () => findFolders({ HOME: temporaryFolder(), XDG_CACHE_HOME: temporaryFolder() });
const find = (stores: Partial<Stores>, own = folders()) => findStored(REPOSITORY, own, { ...noStores, ...stores });

/** A store of Hugging Face's: a file is a link from a commit's folder to a blob named by its sum. */
function huggingFace(store: string, commit = "a".repeat(40), blob = sum): string {
  const repository = join(store, "models--katanemo--Arch-Router-1.5B.gguf");
  addFiles(repository, { [`blobs/${blob}`]: bytes, "refs/main": commit });
  const path = join(repository, "snapshots", commit, FILE);
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(join("..", "..", "blobs", blob), path);
  return path;
}

function ollama(tag = "Q4_K_M", host = "hf.co", repository = REPOSITORY): string {
  const manifest = {
    schemaVersion: 2,
    layers: [{ mediaType: "application/vnd.ollama.image.model", digest: `sha256:${sum}` }],
  };
  return folderWith({
    [`manifests/${host}/${repository}/${tag}`]: JSON.stringify(manifest),
    [`blobs/sha256-${sum}`]: bytes,
  });
}

describe("a file is found as it lies, with what its store knows of it:", () => {
  it("ollama", async () => {
    const store = ollama();
    const path = join(store, "blobs", `sha256-${sum}`);
    expect(await find({ ollama: [store] })).toEqual([
      { path, store: "ollama", file: FILE, size: bytes.length, sha256: sum },
    ]);
  });

  it("Hugging Face", async () => {
    const store = temporaryFolder();
    const path = huggingFace(store);
    expect(await find({ huggingFace: [store] })).toEqual([
      { path, store: "Hugging Face", file: FILE, size: bytes.length, sha256: sum },
    ]);
  });

  it("Hugging Face, where links cannot be made", async () => {
    const store = folderWith({
      [`models--katanemo--Arch-Router-1.5B.gguf/snapshots/${"a".repeat(40)}/${FILE}`]: bytes,
    });
    expect(await find({ huggingFace: [store] })).toMatchObject([{ store: "Hugging Face", sha256: undefined }]);
  });

  it("Hugging Face, once for two commits with the same file", async () => {
    const store = temporaryFolder();
    huggingFace(store);
    huggingFace(store, "b".repeat(40));
    expect(await find({ huggingFace: [store] })).toHaveLength(1);
  });

  it("LM Studio", async () => {
    const store = folderWith({
      [`${REPOSITORY}/${FILE}`]: bytes,
      [`${REPOSITORY}/README.md`]: "",
      [`${REPOSITORY}/${FILE}.part`]: "",
    });
    const path = join(store, REPOSITORY, FILE);
    expect(await find({ lmStudio: [store] })).toEqual([
      { path, store: "LM Studio", file: FILE, size: bytes.length, sha256: undefined },
    ]);
  });

  it.each([`katanemo_Arch-Router-1.5B.gguf_${FILE}`, FILE])("llama.cpp, as %s", async (name) => {
    const store = folderWith({ [name]: bytes, [`${name}.etag`]: "", "other_Model_x.gguf": bytes });
    expect(await find({ llamaCpp: [store] })).toEqual([
      { path: join(store, name), store: "llama.cpp", file: FILE, size: bytes.length, sha256: undefined },
    ]);
  });

  it("our own, with the sum that was right when it was fetched", async () => {
    const own = folders();
    addFiles(own.cache, { [`models/${FILE}`]: bytes });
    const path = join(own.cache, "models", FILE);
    await writeNote(path, { sha256: sum });
    expect(await find({}, own)).toEqual([{ path, store: "arch-route", file: FILE, size: bytes.length, sha256: sum }]);
    expect(await findOwn(own)).toHaveLength(1);
  });

  it.each(["", "{", "[]", '{"sha256": 1}', '{"sha256": "../x"}'])("our own, with the note %j", async (note) => {
    const own = folders();
    addFiles(own.cache, { [`models/${FILE}`]: bytes, [notePath(`models/${FILE}`)]: note });
    expect(await find({}, own)).toMatchObject([{ store: "arch-route", sha256: undefined }]);
  });
});

describe("nothing is found", () => {
  it.each<[string, (store: string) => void]>([
    ["in an empty folder", () => undefined],
    [
      "in a link to nowhere",
      (store) => {
        mkdirSync(join(store, REPOSITORY), { recursive: true });
        symlinkSync("nowhere", join(store, REPOSITORY, FILE));
      },
    ],
    ["in a folder of its name", (store) => mkdirSync(join(store, REPOSITORY, FILE), { recursive: true })],
    ["in another repository", (store) => addFiles(store, { "someone/Arch-Router-1.5B.gguf/x.gguf": bytes })],
    ["in a file in place of the folder", (store) => addFiles(store, { katanemo: "" })],
  ])("%s", async (_, prepare) => {
    const store = temporaryFolder();
    prepare(store);
    expect(await find({ ollama: [store], huggingFace: [store], lmStudio: [store], llamaCpp: [store] })).toEqual([]);
  });
});

describe("the choice", () => {
  it("takes a store's file in place, our own first, the better quantisation before all", async () => {
    const own = folders();
    const [store, hub] = [ollama("Q2_K"), temporaryFolder()];
    const stores = { ...noStores, ollama: [store], huggingFace: [hub] };
    expect(await findModel(undefined, own, stores)).toMatchObject({ stored: { store: "ollama" } });
    const path = huggingFace(hub);
    expect(await findModel(undefined, own, stores)).toMatchObject({ path, stored: { store: "Hugging Face" } });
    addFiles(own.cache, { [`models/${FILE}`]: bytes });
    expect(await findModel("arch-router:q4_k_m", own, stores)).toMatchObject({ stored: { store: "arch-route" } });
    expect(await findModel("arch-router:q2_k", own, stores)).toMatchObject({ stored: { store: "ollama" } });
    expect(await findModel(`hf:${REPOSITORY}/${FILE}`, own, stores)).toMatchObject({ stored: { store: "arch-route" } });
  });

  it("refuses a file that is not what its store calls it", async () => {
    const hub = temporaryFolder();
    huggingFace(hub, "a".repeat(40), "0".repeat(64));
    await expect(findModel(undefined, folders(), { ...noStores, huggingFace: [hub] })).rejects.toMatchObject({
      code: "E_MODEL",
      hint: "remove it with Hugging Face and fetch it again, or use --model mini",
    });
  });
});

describe("findStores", () => {
  const home = { HOME: "/h" };

  it("knows the places on Linux", () => {
    expect(findStores(home, "linux")).toEqual({
      ollama: ["/h/.ollama/models", "/usr/share/ollama/.ollama/models"],
      huggingFace: ["/h/.cache/huggingface/hub"],
      lmStudio: ["/h/.lmstudio/models", "/h/.cache/lm-studio/models"],
      llamaCpp: ["/h/.cache/llama.cpp"],
    });
  });

  it.each<[Record<string, string>, NodeJS.Platform, Partial<Stores>]>([
    [{ OLLAMA_MODELS: "/o" }, "darwin", { ollama: ["/o", "/h/.ollama/models"] }],
    [{ HF_HOME: "/f" }, "linux", { huggingFace: ["/f/hub"] }],
    [{ HF_HUB_CACHE: "/c", HF_HOME: "/f" }, "linux", { huggingFace: ["/c"] }],
    [{ HUGGINGFACE_HUB_CACHE: "/old" }, "linux", { huggingFace: ["/old"] }],
    [{ XDG_CACHE_HOME: "/x" }, "linux", { huggingFace: ["/x/huggingface/hub"], llamaCpp: ["/x/llama.cpp"] }],
    [{ LLAMA_CACHE: "/l" }, "linux", { llamaCpp: ["/l"], huggingFace: ["/h/.cache/huggingface/hub", "/l"] }],
    [{}, "darwin", { llamaCpp: ["/h/Library/Caches/llama.cpp"] }],
    [{ LOCALAPPDATA: "/local" }, "win32", { llamaCpp: ["/local/llama.cpp"] }],
  ])("heeds %j on %s", (env, platform, expected) => {
    expect(findStores({ ...home, ...env }, platform)).toMatchObject(expected);
  });
});
