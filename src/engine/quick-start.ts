import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { hostname, release } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Llama, LlamaOptions } from "node-llama-cpp";

/**
 * On Linux, getLlama tries its native binary in a second Node process each time before it loads it: 0.55 of the 1.2 s
 * that a routing with the small model takes from start to answer (medians of three, two shared cores). Whether the
 * binary runs here does not change between two runs, so a success is remembered for this binary, machine, kernel and
 * Node, and the binary is then loaded at once.
 */
export interface QuickStart {
  /** Loads the binary that is known to run here; undefined if none is. */
  start(options: LlamaOptions): Promise<Llama | undefined>;
  /** To be called after getLlama succeeded on the CPU. */
  remember(): void;
}

/** What of the library's class is used: `_create` is internal, so anything unexpected about it means "not known". */
interface LlamaClass {
  _create?(options: object): Promise<Llama>;
}

/** `entry`: path of the node-llama-cpp in use; `cache`: folder where successes are remembered, undefined: nowhere. */
export function createQuickStart(entry: string, llamaClass: unknown, cache: string | undefined): QuickStart {
  const binary = findBinary(entry);
  if (binary === undefined || cache === undefined) return { start: async () => undefined, remember: () => undefined };
  const note = join(cache, "native-binary");
  return {
    async start(options) {
      const create = (llamaClass as LlamaClass)._create;
      if (create === undefined || read(note) !== fingerprint(binary.path)) return undefined;
      try {
        return await create.call(llamaClass, { ...options, ...binaryOptions(binary) });
      } catch {
        return undefined;
      }
    },
    remember() {
      try {
        mkdirSync(cache, { recursive: true, mode: 0o700 });
        const known = fingerprint(binary.path);
        if (read(note) !== known) writeFileSync(note, known, { mode: 0o600 });
      } catch {
        // A cache that cannot be written: the next start is no quicker, that is all.
      }
    },
  };
}

interface Binary {
  readonly path: string;
  /** What the library keeps beside it about how it was built. */
  readonly metadata: object;
  readonly require: NodeJS.Require;
}

/** The prebuilt CPU binary: from its package alone, never from a path that was stored. */
function findBinary(entry: string): Binary | undefined {
  if (process.platform !== "linux") return undefined;
  const name = `linux-${process.arch === "arm" ? "armv7l" : process.arch}`;
  try {
    const require = createRequire(entry);
    const packageFolder = dirname(dirname(require.resolve(`@node-llama-cpp/${name}`)));
    const folder = join(packageFolder, "bins", name);
    const metadata = JSON.parse(readFileSync(join(folder, "_nlcBuildMetadata.json"), "utf8")) as object;
    return { path: join(folder, "llama-addon.node"), metadata, require };
  } catch {
    return undefined;
  }
}

function binaryOptions({ path, metadata, require }: Binary): object {
  return {
    bindings: require(path),
    bindingPath: path,
    buildType: "prebuilt",
    buildMetadata: metadata,
    vramPadding: 0,
    ramPadding: 0,
    skipLlamaInit: false,
    numa: false,
    tempDir: false,
  };
}

function fingerprint(path: string): string {
  const { size, mtimeMs, ino } = statSync(path);
  return [pathToFileURL(path).href, size, mtimeMs, ino, process.version, hostname(), release()].join("\n");
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
