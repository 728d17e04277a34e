import { readFile, writeFile } from "node:fs/promises";
import type { CheckedFiles } from "./checked-files.js";

/** The vectors of a route set's texts (token ids each), kept from one run to the next. */
export interface VectorCache {
  /** The vectors, one a text, as they were kept; undefined: they are not there. */
  restore(texts: readonly (readonly number[])[]): Promise<readonly (readonly number[])[] | undefined>;
  /** Keeps vectors of one length, one a text. */
  keep(texts: readonly (readonly number[])[], vectors: readonly (readonly number[])[]): Promise<void>;
}

/** A file holds the vectors one after the other as 64-bit floats: not a bit of them is lost. */
export function createVectorCache(files: CheckedFiles): VectorCache {
  return {
    async restore(texts) {
      const file = await files.find(texts);
      if (file === undefined) return undefined;
      try {
        const bytes = new Uint8Array(await readFile(file.path)).buffer.slice(0, file.length);
        const width = file.length / Float64Array.BYTES_PER_ELEMENT / texts.length;
        return texts.map((_, index) => [...new Float64Array(bytes).subarray(index * width, (index + 1) * width)]);
      } catch {
        // Another process has just removed it.
        return undefined;
      }
    },
    async keep(texts, vectors) {
      const bytes = new Uint8Array(Float64Array.from(vectors.flat()).buffer);
      await files.store(texts, async (path) => {
        await writeFile(path, bytes);
        return bytes.length;
      });
    },
  };
}
