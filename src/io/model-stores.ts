import { readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { type Environment, type Folders, homeFolder } from "./folders.js";
import { archRouter } from "./model-table.js";
import { findInOllama } from "./ollama-store.js";
import { isSum, list, type StoredModel, type StoreName } from "./stored-model.js";

/** Folders in which other programs keep models, whether they exist or not; the first one counts most. */
export interface Stores {
  /** Each holds `blobs` and `manifests`. */
  readonly ollama: readonly string[];
  /** Each holds `models--USER--REPOSITORY`. */
  readonly huggingFace: readonly string[];
  /** Each holds `USER/REPOSITORY`. */
  readonly lmStudio: readonly string[];
  /** Each holds `USER_REPOSITORY_FILE`. */
  readonly llamaCpp: readonly string[];
}

/** No stores: only this program's own. */
export const noStores: Stores = { ollama: [], huggingFace: [], lmStudio: [], llamaCpp: [] };

/** Where the stores are, by the variables that their programs heed. */
export function findStores(env: Environment, platform: NodeJS.Platform = process.platform): Stores {
  const home = homeFolder(env, platform);
  const caches = env["XDG_CACHE_HOME"] || join(home, ".cache");
  const ollama = env["OLLAMA_MODELS"];
  const llamaCpp =
    platform === "win32"
      ? join(env["LOCALAPPDATA"] || join(home, "AppData", "Local"), "llama.cpp")
      : platform === "darwin"
        ? join(home, "Library", "Caches", "llama.cpp")
        : join(caches, "llama.cpp");
  const hub = env["HF_HUB_CACHE"] || env["HUGGINGFACE_HUB_CACHE"];
  const llamaCache = env["LLAMA_CACHE"];
  return {
    // On Linux the service runs as a user of its own, whose home this is.
    ollama: [
      ...(ollama ? [ollama] : []),
      join(home, ".ollama", "models"),
      ...(platform === "linux" ? ["/usr/share/ollama/.ollama/models"] : []),
    ],
    // llama.cpp since March 2026 keeps this layout too, in LLAMA_CACHE if that is set (ggml-org/llama.cpp#20775, #21009).
    huggingFace: [
      hub || join(env["HF_HOME"] || join(caches, "huggingface"), "hub"),
      ...(llamaCache ? [llamaCache] : []),
    ],
    lmStudio: [join(home, ".lmstudio", "models"), join(home, ".cache", "lm-studio", "models")],
    llamaCpp: [llamaCache || llamaCpp],
  };
}

/** The GGUF files of a repository (`user/name`) on this machine: our own first, then store by store. Never throws. */
export async function findStored(repository: string, folders: Folders, stores: Stores): Promise<StoredModel[]> {
  const [user = "", name = ""] = repository.split("/");
  const found = await Promise.all([
    findOwn(folders, repository),
    ...stores.ollama.map((store) => findInOllama(store, user, name)),
    ...stores.huggingFace.map((store) => findInHuggingFace(store, user, name)),
    ...stores.lmStudio.map((store) => findInLmStudio(store, user, name)),
    ...stores.llamaCpp.map((store) => findInLlamaCpp(store, user, name)),
  ]);
  // Two commits of a repository, or two tags, may stand for one file.
  const unique = new Map(
    found.flat().map((model) => [`${model.store}/${model.file.toLowerCase()}/${model.sha256 ?? model.path}`, model]),
  );
  return [...unique.values()];
}

/** Folder of the files that this program fetched. */
export function modelFolder(folders: Folders): string {
  return join(folders.cache, "models");
}

/** Where what is known of a fetched file is kept, as JSON. */
export function notePath(path: string): string {
  return `${path}.json`;
}

/** The models that this program fetched, of one repository or all. Never throws. */
export async function findOwn(folders: Folders, repository?: string): Promise<StoredModel[]> {
  const folder = modelFolder(folders);
  const found: StoredModel[] = [];
  for (const name of (await list(folder)).filter(isGguf)) {
    const path = join(folder, name);
    const { file = name, sha256, ...note } = await readNote(path);
    // A file that was put there by hand has no note, but its makers' name for it.
    const isMeant =
      repository === undefined || (note.repository ?? (isFileOf(name, repository) && repository)) === repository;
    if (!isMeant) continue;
    const [model] = await describe([file], "arch-route", async () => ({ path, sha256 }));
    if (model) found.push({ ...model, repository: note.repository });
  }
  return found;
}

/** Where a file of a repository is kept once it is fetched: names of different repositories do not collide. */
export function ownFileName(repository: string, file: string): string {
  return repository === archRouter.repository ? file : `${repository.replace("/", "--")}--${file}`;
}

/** Writes down what is known of a file that this program fetched. Throws what the file system throws. */
export async function writeNote(path: string, note: { readonly sha256: string; readonly [key: string]: unknown }) {
  const temporary = `${notePath(path)}.${process.pid}.tmp`;
  await rm(temporary, { force: true });
  await writeFile(temporary, `${JSON.stringify(note, null, 2)}\n`, { mode: 0o600, flag: "wx" });
  await rename(temporary, notePath(path));
}

interface Note {
  readonly sha256?: string;
  readonly repository?: string;
  readonly file?: string;
}

// By hand: each routing comes through here, and should not have to load a library for it.
async function readNote(path: string): Promise<Note> {
  try {
    const { sha256, repository, file } = JSON.parse(await readFile(notePath(path), "utf8")) as Record<string, unknown>;
    if (typeof sha256 !== "string" || !isSum(sha256)) return {};
    const isNamed = typeof repository === "string" && typeof file === "string";
    return isNamed ? { sha256, repository, file } : { sha256 };
  } catch {
    // None, or not ours: then nothing is known of the file.
    return {};
  }
}

/** `models--USER--NAME/snapshots/COMMIT/FILE`, a link to `blobs/SHA256` for large files. */
async function findInHuggingFace(store: string, user: string, name: string): Promise<StoredModel[]> {
  const snapshots = join(store, `models--${user}--${name}`, "snapshots");
  const found: StoredModel[] = [];
  for (const commit of await list(snapshots)) {
    const files = (await list(join(snapshots, commit))).filter(isGguf);
    found.push(
      ...(await describe(files, "Hugging Face", async (file) => {
        const path = join(snapshots, commit, file);
        const blob = basename(await realpath(path));
        return { path, sha256: isSum(blob) ? blob : undefined };
      })),
    );
  }
  return found;
}

async function findInLmStudio(store: string, user: string, name: string): Promise<StoredModel[]> {
  const folder = join(store, user, name);
  const files = (await list(folder)).filter(isGguf);
  return await describe(files, "LM Studio", async (file) => ({ path: join(folder, file), sha256: undefined }));
}

/** `USER_NAME_FILE`; the builds of spring 2024 wrote FILE alone. */
async function findInLlamaCpp(store: string, user: string, name: string): Promise<StoredModel[]> {
  const prefix = `${user}_${name}_`;
  const names = new Map<string, string>();
  for (const entry of (await list(store)).filter(isGguf)) {
    if (entry.startsWith(prefix)) names.set(entry.slice(prefix.length), entry);
    else if (isFileOf(entry, name)) names.set(entry, entry);
  }
  return await describe([...names.keys()], "llama.cpp", async (file) => ({
    path: join(store, names.get(file) ?? file),
    sha256: undefined,
  }));
}

function isGguf(file: string): boolean {
  return /\.gguf$/i.test(file);
}

/** Whether a file may be one of the repository [USER/]NAME or NAME.gguf or NAME-GGUF: it begins like it. */
function isFileOf(file: string, repository: string): boolean {
  const name = repository.slice(repository.indexOf("/") + 1);
  return file.toLowerCase().startsWith(name.replace(/[-.]gguf$/i, "").toLowerCase());
}

/** Adds what the file system knows; leaves out what is no file, such as a link into nowhere. */
async function describe(
  files: readonly string[],
  store: StoreName,
  locate: (file: string) => Promise<Pick<StoredModel, "path" | "sha256">>,
): Promise<StoredModel[]> {
  const found: StoredModel[] = [];
  for (const file of files) {
    try {
      const place = await locate(file);
      const stats = await stat(place.path);
      if (stats.isFile()) found.push({ ...place, file, store, size: stats.size });
    } catch {
      // Gone, or not for us to read: it is not usable here.
    }
  }
  return found;
}
