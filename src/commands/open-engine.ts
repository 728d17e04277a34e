import type { Engine } from "../core/engine.js";
import type { LlamaEngineOptions } from "../engine/llama.js";
import type { Config } from "../io/config.js";
import { fetchCommand, findModel } from "../io/model-file.js";
import { isFirstTime } from "../io/notice.js";

export interface EngineUse {
  /** In a child process: what a batch wants. A single routing starts faster without. */
  readonly isolated: boolean;
  /** Told what the user should know. */
  readonly warn: (message: string) => void;
  /** Told once on a machine that the embedded model was chosen; absent: nobody is there to read it. */
  readonly advise?: ((message: string) => void) | undefined;
}

/** The engine of the model that the configuration asks for, or of the best one on this machine. */
export async function openEngine(config: Config, { isolated, warn, advise }: EngineUse): Promise<Engine> {
  const file = await findModel(config.model, config.folders);
  const { gpu, threads, context, unicode } = config;
  const options: LlamaEngineOptions = {
    modelPath: file.path,
    gpu,
    threads,
    context,
    unicode,
    cache: config.folders.cache,
    warn,
  };
  const engine = isolated
    ? await (await import("../engine/worker.js")).createWorkerEngine(options)
    : await (await import("../engine/llama.js")).createLlamaEngine(options);
  if (advise && file.embedded && config.model === undefined && (await isFirstTime(config.folders, "embedded-model"))) {
    advise(
      `routed by the embedded small model; Arch-Router understands more, get it with: ${fetchCommand(config.folders)}`,
    );
  }
  return engine;
}
