import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Llama, Token } from "node-llama-cpp";
import type { Engine } from "../core/engine.js";
import { ArchRouteError } from "../core/errors.js";
import type { Unicode } from "../core/prompt.js";
import type { Route } from "../core/route.js";
import { createCheckedFiles } from "./checked-files.js";
import { createEncoderEngine, type EmbeddingModel } from "./encoder.js";
import { readHead } from "./encoder-head.js";
import { createGenerativeEngine } from "./generative.js";
import { type GgufHeader, readGgufHeader } from "./gguf.js";
import { identityOf } from "./identity.js";
import { type LoadedModel, openText } from "./llama-text.js";
import { createPrefixCache } from "./prefix-cache.js";
import { createQuickStart } from "./quick-start.js";
import { chooseThreads, readMachine } from "./threads.js";
import { createVectorCache } from "./vector-cache.js";

export interface LlamaEngineOptions {
  /** Path of a GGUF file: an encoder of this project, or a ChatML model such as Arch-Router. */
  readonly modelPath: string;
  /** Where to run; `auto` takes what the machine has. Default: auto. Encoders always run on the CPU: they are that small. */
  readonly gpu?: "auto" | "cuda" | "metal" | "vulkan" | "off";
  /** CPU threads. Default: chosen from cores, quota and load. */
  readonly threads?: number | undefined;
  /** Tokens a generative model's context holds. Default: 4096. */
  readonly context?: number;
  /** How the prompt writes characters outside ASCII. Default: raw. */
  readonly unicode?: Unicode;
  /**
   * The routes that a run is about. They are evaluated at once, and `tokens.cached` of a routing among them is what they
   * have of its prompt, among others 0: it does not tell what was routed before. Default: whatever is routed first.
   */
  readonly routes?: readonly Route[];
  /** Folder for what may spare the next start work: what runs on this machine, evaluated routes. Default: nowhere. */
  readonly cache?: string;
  /** Told when the engine has to make do with less than was asked for. */
  readonly warn?: (message: string) => void;
}

/** What a process of its own is given beside: it tells its parent where the model runs. */
export interface ChildOptions extends LlamaEngineOptions {
  /** Called with the GPU that is about to get the model. */
  readonly onGpu?: (gpu: string) => void;
}

/** The longest text that an encoder gets, with room for the two tokens that frame it. */
const ENCODER_CONTEXT = 256;
/** Milliseconds that loading a model may take. */
const LOAD_LIMIT = 300_000;

/** Loads a GGUF and returns the engine of its kind. Throws E_MODEL. */
export async function createLlamaEngine(options: ChildOptions): Promise<Engine> {
  const header = readRouterHeader(options.modelPath);
  const isEncoder = isEncoderHeader(header);
  const head = isEncoder ? readHead(options.modelPath, header) : undefined;
  const name = basename(options.modelPath).replace(/\.gguf$/i, "");
  const loaded = await load(isEncoder ? { ...options, gpu: "off" } : options);
  try {
    const files = await openFiles(loaded, options, isEncoder ? "vectors" : "prefixes");
    const { routes, unicode = "raw" } = options;
    if (head) {
      const cache = files && createVectorCache(files);
      return createEncoderEngine(name, await openEncoder(loaded), head, { routes, cache });
    }
    const text = await openText(loaded, options);
    return createGenerativeEngine(name, text, unicode, { routes, cache: files && createPrefixCache(text, files) });
  } catch (cause) {
    await loaded.llama.dispose();
    throw unusable(options.modelPath, cause, loaded.log);
  }
}

/** Where what was evaluated is kept; undefined: nowhere. `kind`: what it is, as the name of a folder. */
async function openFiles({ llama, model }: Loaded, { cache, modelPath, warn }: LlamaEngineOptions, kind: string) {
  if (cache === undefined) return undefined;
  const { llamaCppRelease, buildType, gpu, systemInfo } = llama;
  const { gpuLayers, defaultContextFlashAttention } = model;
  const build = [
    await libraryVersion(),
    llamaCppRelease,
    buildType,
    gpu,
    systemInfo,
    gpuLayers,
    defaultContextFlashAttention,
  ];
  return createCheckedFiles({ folder: join(cache, kind), identity: identityOf(modelPath, [kind, ...build]), warn });
}

/** A header of a model that can route. Throws E_MODEL. */
export function readRouterHeader(path: string): GgufHeader {
  const header = readGgufHeader(path);
  if (isEncoderHeader(header) || header.chatml) return header;
  const what = String(header.metadata.get("general.architecture") ?? "unknown");
  throw new ArchRouteError("E_MODEL", `model ${path}: not a router model: architecture ${what}, no ChatML tokens`, {
    hint: "give a GGUF of Arch-Router, or mini",
  });
}

/** Whether it is an encoder of this project. */
export function isEncoderHeader({ metadata }: GgufHeader): boolean {
  return metadata.get("arch_route.kind") === "encoder";
}

/** Version of node-llama-cpp. */
export async function libraryVersion(): Promise<string> {
  return await (await import("node-llama-cpp")).getModuleVersion();
}

/** A model in memory. */
export interface Loaded extends LoadedModel {
  /** What llama.cpp had to say, errors only. */
  readonly log: readonly string[];
}

/** Loads a GGUF whose header was checked. Throws E_MODEL. */
export async function load(options: ChildOptions): Promise<Loaded> {
  const log: string[] = [];
  const llama = await startLlama(options, log);
  try {
    const wanted = options.threads ?? Math.min(chooseThreads(readMachine()), llama.cpuMathCores);
    llama.maxThreads = wanted;
    if (llama.gpu !== false) options.onGpu?.(llama.gpu);
    const loadSignal = AbortSignal.timeout(LOAD_LIMIT);
    const model = await llama.loadModel({
      modelPath: options.modelPath,
      loadSignal,
      // On the CPU flash attention makes scores depend on the shape of a batch (0.26 nat seen), and texts of 20 to 60 tokens
      // take an encoder up to twice as long; GPUs may need it.
      defaultContextFlashAttention: llama.gpu === false ? false : "auto",
    });
    return { llama, model, threads: wanted, log };
  } catch (cause) {
    // What llama.cpp logged on its own thread is on its way; after dispose it would go to stderr.
    await nextTurn();
    await llama.dispose();
    throw unusable(options.modelPath, cause, log);
  }
}

/** The library on the GPU that is asked for and usable, else on the CPU; `log` gets its complaints. */
export async function startLlama(
  { gpu = "auto", threads, cache, warn }: LlamaEngineOptions,
  log: string[],
): Promise<Llama> {
  const { getLlama, Llama, LlamaLogLevel } = await import("node-llama-cpp");
  // Everything explicit: what is left out, the library takes from environment variables of its own.
  const options = {
    build: "never",
    skipDownload: true,
    progressLogs: false,
    debug: false,
    logLevel: LlamaLogLevel.error,
    logger: (_level: unknown, message: string) => void log.push(message.trim()),
    // The library's default is 4 threads even on 2 cores; see threads.ts for what that costs.
    maxThreads: threads ?? chooseThreads(readMachine()),
  } as const;
  if (gpu !== "off") {
    try {
      return await getLlama({ ...options, gpu });
    } catch (cause) {
      warn?.(`gpu ${gpu}: not usable here (${firstLine(cause)}): running on the CPU`);
    }
  }
  const quick = createQuickStart(createRequire(import.meta.url).resolve("node-llama-cpp"), Llama, cache);
  const started = await quick.start(options);
  if (started) return started;
  const llama = await getLlama({ ...options, gpu: false });
  quick.remember();
  return llama;
}

/** An encoder, ready for texts. */
export async function openEncoder({ llama, model, threads }: Loaded): Promise<EmbeddingModel> {
  const context = await model.createEmbeddingContext({
    contextSize: ENCODER_CONTEXT,
    batchSize: ENCODER_CONTEXT,
    threads,
  });
  return {
    tokenize: (text) => model.tokenize(text, false),
    embed: async (tokens) => {
      // The library frames any text but the empty one, for which it has no vector at all.
      const framed = tokens.length === 0 && model.tokens.bos !== null ? [model.tokens.bos] : [...tokens];
      return (await context.getEmbeddingFor(framed as Token[])).vector;
    },
    dispose: () => llama.dispose(),
  };
}

function unusable(path: string, cause: unknown, log: readonly string[]): ArchRouteError {
  if (cause instanceof ArchRouteError) return cause;
  const detail = [firstLine(cause), ...log.slice(0, 1)].join(": ");
  return new ArchRouteError("E_MODEL", `model ${path}: cannot be loaded: ${detail}`, { cause });
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
}
