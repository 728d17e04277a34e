import { readdir } from "node:fs/promises";

/** Whose folders a model may be in. */
export type StoreName = "arch-route" | "ollama" | "Hugging Face" | "LM Studio" | "llama.cpp";

/** A file of a repository of the hub that some program has put on this machine. */
export interface StoredModel {
  readonly path: string;
  readonly store: StoreName;
  /** What the file is called on the hub. */
  readonly file: string;
  /** Bytes. */
  readonly size: number;
  /** The sum that the store knows the file by; undefined: it keeps none. */
  readonly sha256: string | undefined;
  /** `user/name`; undefined: it is not written down with the file. */
  readonly repository?: string | undefined;
}

/** Names in a folder, in order; none if it cannot be read. */
export async function list(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch {
    return [];
  }
}

/** Whether a text is a sha256 in hexadecimal. */
export function isSum(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}
