import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ArchRouteError } from "../core/errors.js";
import { embeddedModel } from "./bundled.js";
import type { Folders } from "./folders.js";

/** A GGUF file to load. */
export interface ModelFile {
  readonly path: string;
  /** The small model of the package. */
  readonly embedded: boolean;
}

/** Quantisations of huggingface.co/katanemo/Arch-Router-1.5B.gguf, the one to prefer first. */
export const quantisations = ["q4_k_m", "q5_k_m", "q6_k", "q8_0", "f16", "q4_k_s", "q4_0", "q3_k_m", "q2_k"] as const;

const BETTER = "arch-router";

/** Where Arch-Router's weights of a quantisation are looked for. */
export function archRouterPath(folders: Folders, quantisation: string): string {
  return join(folders.cache, "models", `Arch-Router-1.5B-${quantisation.toUpperCase()}.gguf`);
}

/** The command that brings Arch-Router's weights to where they are looked for. */
export function fetchCommand(folders: Folders, quantisation: string = quantisations[0]): string {
  const path = archRouterPath(folders, quantisation);
  const file = `Arch-Router-1.5B-${quantisation.toUpperCase()}.gguf`;
  return `curl -L --create-dirs -o '${path}' https://huggingface.co/katanemo/Arch-Router-1.5B.gguf/resolve/main/${file}`;
}

/**
 * The file behind a reference: `mini`, `arch-router`, `arch-router:QUANT` or a path; without one, the best Arch-Router on
 * this machine, else `mini`. Throws E_MODEL if it is not there, E_CONFIG if there can be no such model.
 */
export async function findModel(reference: string | undefined, folders: Folders): Promise<ModelFile> {
  if (reference === undefined) {
    const here = quantisations.map((name) => archRouterPath(folders, name)).find((path) => existsSync(path));
    return here === undefined ? embedded(folders) : { path: here, embedded: false };
  }
  if (reference === "mini") return embedded(folders);
  if (reference.includes("\0")) throw new ArchRouteError("E_CONFIG", "model: the name holds a NUL character");
  const [family, quantisation] = reference.split(":");
  if (family !== BETTER) return { path: reference, embedded: false };
  const wanted =
    quantisation === undefined ? quantisations : quantisations.filter((name) => name === quantisation.toLowerCase());
  if (wanted.length === 0) {
    throw new ArchRouteError("E_CONFIG", `model ${reference}: there is no such quantisation`, {
      hint: `use one of ${quantisations.join(", ")}`,
    });
  }
  const path = wanted.map((name) => archRouterPath(folders, name)).find((candidate) => existsSync(candidate));
  if (path === undefined) {
    throw new ArchRouteError("E_MODEL", `model ${reference}: not on this machine`, {
      hint: `get it with: ${fetchCommand(folders, wanted[0])}`,
    });
  }
  return { path, embedded: false };
}

async function embedded(folders: Folders): Promise<ModelFile> {
  await verify(embeddedModel.path, embeddedModel.sha256, folders);
  return { path: embeddedModel.path, embedded: true };
}

/** Checks a file against its sha256, once for each state of the file that size, time and inode can tell apart. */
export async function verify(path: string, sha256: string, folders: Folders): Promise<void> {
  const { size, mtimeMs, ino } = await stat(path).catch((cause: Error) => {
    throw new ArchRouteError("E_MODEL", `model ${path}: ${cause.message}`, { hint: "install arch-route again", cause });
  });
  const state = [path, size, mtimeMs, ino, sha256].join("\t");
  const known = await readKnown(folders);
  if (known.includes(state)) return;
  const found = await hashFile(path);
  if (found !== sha256) {
    throw new ArchRouteError("E_MODEL", `model ${path}: damaged: its sha256 is ${found}, not ${sha256}`, {
      hint: "install arch-route again",
    });
  }
  await remember(folders, [...known.filter((line) => !line.startsWith(`${path}\t`)), state]);
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

async function readKnown(folders: Folders): Promise<string[]> {
  try {
    return (await readFile(verifiedFile(folders), "utf8")).split("\n").filter((line) => line !== "");
  } catch {
    return [];
  }
}

async function remember(folders: Folders, lines: readonly string[]): Promise<void> {
  try {
    await mkdir(folders.cache, { recursive: true, mode: 0o700 });
    const temporary = `${verifiedFile(folders)}.${process.pid}.tmp`;
    await writeFile(temporary, `${lines.join("\n")}\n`, { mode: 0o600, flag: "wx" });
    await rename(temporary, verifiedFile(folders));
  } catch {
    // Nothing depends on it: the file is read again next time.
  }
}

function verifiedFile(folders: Folders): string {
  return join(folders.cache, "verified");
}
