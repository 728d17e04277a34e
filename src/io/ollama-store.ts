import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { list, type StoredModel } from "./stored-model.js";

const MODEL_LAYER = "application/vnd.ollama.image.model";
/** Bytes; real ones have about a thousand. */
const LONGEST_MANIFEST = 1 << 20;
/** What the hub sends for the tag `latest`, if the repository has it (huggingface.co/docs/hub/ollama). */
const LATEST = "Q4_K_M";

// Nothing but this form may become a part of a path (CVE-2024-37032).
const digestForm = /^sha256:[0-9a-f]{64}$/;

/**
 * Files of a hub repository in a folder of ollama's: `manifests/hf.co/USER/NAME/TAG` names `blobs/sha256-…`. What ollama
 * was told to fetch may be written in any case.
 */
export async function findInOllama(store: string, user: string, name: string): Promise<StoredModel[]> {
  const found: StoredModel[] = [];
  for (const host of ["hf.co", "huggingface.co"]) {
    for (const folder of await descend(join(store, "manifests"), [host, user, name])) {
      for (const tag of await list(folder)) {
        const model = await readManifest(store, join(folder, tag), fileName(name, tag));
        if (model) found.push(model);
      }
    }
  }
  return found;
}

/** Folders below `folder` whose names are these, in any case. */
async function descend(folder: string, [next, ...rest]: readonly string[]): Promise<string[]> {
  if (next === undefined) return [folder];
  const names = (await list(folder)).filter((entry) => entry.toLowerCase() === next.toLowerCase());
  return (await Promise.all(names.map((entry) => descend(join(folder, entry), rest)))).flat();
}

async function readManifest(store: string, path: string, file: string): Promise<StoredModel | undefined> {
  try {
    if ((await stat(path)).size > LONGEST_MANIFEST) return undefined;
    const { layers } = JSON.parse(await readFile(path, "utf8")) as {
      layers?: { mediaType?: unknown; digest?: unknown }[];
    };
    const digest = layers?.find(({ mediaType }) => mediaType === MODEL_LAYER)?.digest;
    if (typeof digest !== "string" || !digestForm.test(digest)) return undefined;
    const sha256 = digest.slice("sha256:".length);
    const blob = join(store, "blobs", `sha256-${sha256}`);
    const stats = await stat(blob);
    return stats.isFile() ? { path: blob, store: "ollama", file, size: stats.size, sha256 } : undefined;
  } catch {
    // A manifest that ollama could not use either, or a blob that is gone or not for us to read.
    return undefined;
  }
}

/** What a tag is called on the hub. */
function fileName(name: string, tag: string): string {
  return `${name.replace(/[-.]gguf$/i, "")}-${tag.toLowerCase() === "latest" ? LATEST : tag}.gguf`;
}
