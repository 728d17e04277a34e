import type { CheckedFiles } from "./checked-files.js";

/** A sequence of evaluated tokens that can be written to a file. */
export interface SavedSequence {
  /** The tokens that were evaluated and are not forgotten. */
  evaluated(): readonly number[];
  /** Forgets all evaluated tokens from `position` on. */
  truncate(position: number): Promise<void>;
  /** Writes what is evaluated into a file; its length in bytes. */
  saveState(path: string): Promise<number>;
  /** Replaces what is evaluated by what such a file holds; if it rejects, by nothing. Trusts the file blindly. */
  loadState(path: string): Promise<void>;
}

/** Evaluated prefixes, kept from one run to the next. */
export interface PrefixCache {
  /** Fills an empty sequence with an evaluated prefix; false: it is not there, and the sequence is empty still. */
  restore(prefix: readonly number[]): Promise<boolean>;
  /** Keeps the prefix that was evaluated, which is all that is in the sequence. */
  keep(prefix: readonly number[]): Promise<void>;
}

/**
 * Prefixes as llama.cpp's state files. Its reader detects next to nothing: one flipped byte can keep it busy for ever,
 * and the state of another model of the same shape is taken for its own. So it sees only what was checked before.
 */
export function createPrefixCache(sequence: SavedSequence, files: CheckedFiles): PrefixCache {
  return {
    async restore(prefix) {
      const file = await files.find([prefix]);
      if (file === undefined) return false;
      try {
        await sequence.loadState(file.path);
        const tokens = sequence.evaluated();
        if (tokens.length === prefix.length && prefix.every((token, index) => tokens[index] === token)) return true;
      } catch {
        // A file of ours that the library refuses, or that another process has just removed.
      }
      await sequence.truncate(0);
      await files.remove([prefix]);
      return false;
    },
    keep: (prefix) => files.store([prefix], (path) => sequence.saveState(path)),
  };
}
