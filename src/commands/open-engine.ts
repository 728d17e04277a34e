import type { Engine } from "../core/engine.js";
import type { LlamaEngineOptions } from "../engine/llama.js";
import type { Config, ServerChoice } from "../io/config.js";
import { findModel, type ModelFile } from "../io/model-file.js";
import { archRouter, pullCommand } from "../io/model-table.js";
import { isFirstTime } from "../io/notice.js";

export interface EngineUse {
  /** In a child process, whatever the model: what a batch wants. A single routing by the embedded one starts faster without. */
  readonly isolated: boolean;
  /** Told what the user should know. */
  readonly warn: (message: string) => void;
  /** Told once on a machine which model was chosen, if none was asked for; absent: nobody is there to read it. */
  readonly advise?: ((message: string) => void) | undefined;
  /** Ends a child process, even one that is still loading. */
  readonly signal?: AbortSignal | undefined;
}

/** Share of a model's probability that must lie on the candidates; Arch-Router puts nearly all there. */
const LEAST_IN_SET = 0.5;

/** The engine of the model that the configuration asks for, or of the best one on this machine. */
export async function openEngine(config: Config, use: EngineUse): Promise<Engine> {
  if (config.cascade) return await (await import("./open-cascade.js")).openCascade(config, use, openEngine);
  const { isolated, warn, advise, signal } = use;
  if (config.server !== undefined)
    return warnIfForeign(await openRemote(config.server, config), warn, "serve Arch-Router");
  const file = await findModel(config.model, config.folders, config.stores);
  const { gpu, threads, context, unicode } = config;
  const options: LlamaEngineOptions = {
    modelPath: file.path,
    gpu,
    threads,
    context,
    unicode,
    cache: config.folders.cache,
    // A batch's output must not tell what was routed before a record, or by a process that died.
    ...(isolated && { routes: config.routes.routes }),
    warn,
  };
  // Native code may abort, on a GPU or on a file that nobody vouches for: only the embedded encoder runs in this process.
  const engine =
    isolated || !file.embedded
      ? await (await import("../engine/worker.js")).createWorkerEngine({ ...options, signal })
      : await (await import("../engine/llama.js")).createLlamaEngine(options);
  const { notice, text } = choice(file);
  if (advise && config.model === undefined && (await isFirstTime(config.folders, notice))) advise(text);
  return warnIfForeign(engine, warn);
}

/** The engine on a server. `--threads`, `--gpu` and the rest of what is about this machine do not concern it. */
async function openRemote(choice: ServerChoice, { access, context, origins, unicode }: Config): Promise<Engine> {
  const { connectCompletionServer } = await import("../io/completion-client.js");
  const { createRemoteEngine } = await import("../engine/remote.js");
  const server = await connectCompletionServer({ ...choice, access });
  // A context that was asked for may be less than the server's, to save time; never more.
  const asked = origins.get("context") === "default" ? Infinity : context;
  const known = Math.min(asked, server.context ?? (asked === Infinity ? context : Infinity));
  return createRemoteEngine(server, { context: known, unicode });
}

function choice({ stored }: ModelFile): { readonly notice: string; readonly text: string } {
  if (stored === undefined) {
    const text = `routed by the embedded small model; Arch-Router understands more, get it with: ${pullCommand()}`;
    return { notice: "embedded-model", text };
  }
  const where = stored.store === "arch-route" ? "" : `, which ${stored.store} keeps in ${stored.path}`;
  const text = `routed by ${stored.file}${where}; another one: --model, arch-route models`;
  // One note a file: a better one that is found later is worth telling.
  return { notice: `model-${stored.store}-${stored.file}`.replace(/[^\w.-]/g, "_"), text };
}

/** The same engine; says once if the model wanted to answer something that was no candidate, as foreign models do. */
export function warnIfForeign(
  engine: Engine,
  warn: (message: string) => void,
  advice = `use --model ${archRouter.name} or mini`,
): Engine {
  let warned = false;
  return {
    ...engine,
    async rank(routes, conversation) {
      const scores = await engine.rank(routes, conversation);
      if (scores.inSet !== undefined && scores.inSet < LEAST_IN_SET && !warned) {
        warned = true;
        const share = `${Math.round(scores.inSet * 100)} %`;
        warn(
          `model ${engine.model}: only ${share} of what it would answer are your routes: it is probably no router; ${advice}`,
        );
      }
      return scores;
    },
  };
}
