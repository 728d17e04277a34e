import { basename } from "node:path";
import { createCascadeEngine } from "../core/cascade.js";
import type { Engine } from "../core/engine.js";
import { ArchRouteError } from "../core/errors.js";
import { readRouterHeader } from "../engine/llama.js";
import type { Config } from "../io/config.js";
import { findModel } from "../io/model-file.js";
import { pullCommand } from "../io/model-table.js";
import type { EngineUse } from "./open-engine.js";

type Open = (config: Config, use: EngineUse) => Promise<Engine>;

/**
 * `--cascade`: the embedded model, and behind it what `open` gives without a cascade: the larger model here, or a server.
 * Throws E_CONFIG if there is none, E_MODEL, E_REMOTE.
 */
export async function openCascade(config: Config, use: EngineUse, open: Open): Promise<Engine> {
  const alone = { ...config, cascade: false };
  const large = config.server === undefined ? await openWhenNeeded(alone, use, open) : await open(alone, use);
  try {
    const small = await open({ ...alone, model: "mini", server: undefined }, use);
    return createCascadeEngine(small, large, config.cascadeMargin);
  } catch (error) {
    await large.dispose();
    throw error;
  }
}

/** The larger model here, opened when the first conversation needs it; whether it is there is looked at before. */
async function openWhenNeeded(config: Config, use: EngineUse, open: Open): Promise<Engine> {
  const path = await findLarger(config);
  readRouterHeader(path);
  return openLater(basename(path).replace(/\.gguf$/i, ""), (signal) => open(config, { ...use, signal }));
}

/** Path of the model that the configuration asks for, or of the best one here. Throws E_CONFIG if that is the small one itself, E_MODEL. */
export async function findLarger({ model, folders, stores }: Config): Promise<string> {
  const { path, embedded } = await findModel(model, folders, stores);
  if (!embedded) return path;
  if (model === undefined) {
    throw new ArchRouteError("E_CONFIG", "cascade: there is no larger model on this machine", {
      hint: `get one with: ${pullCommand()}`,
    });
  }
  throw new ArchRouteError("E_CONFIG", `cascade: model ${model} is the small one itself`, {
    hint: "name a larger one with --model, or use --no-cascade",
  });
}

/**
 * An engine that is opened by the first call. If that fails, it fails for this call and all others; one that nobody
 * waits for any more is given up.
 */
function openLater(model: string, open: (signal: AbortSignal) => Promise<Engine>): Engine {
  const disposal = new AbortController();
  let opening: Promise<Engine> | undefined;
  return {
    model,
    async rank(routes, conversation) {
      disposal.signal.throwIfAborted();
      opening ??= open(disposal.signal);
      return await (await opening).rank(routes, conversation);
    },
    async dispose() {
      disposal.abort();
      await opening?.then(
        (engine) => engine.dispose(),
        () => undefined,
      );
    },
  };
}
