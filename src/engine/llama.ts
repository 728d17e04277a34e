import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Llama, LlamaContextSequence, LlamaModel, Token } from "node-llama-cpp";
import type { Engine } from "../core/engine.js";
import { ArchRouteError } from "../core/errors.js";
import type { Unicode } from "../core/prompt.js";
import type { Route } from "../core/route.js";
import { createCheckedFiles } from "./checked-files.js";
import { createEncoderEngine, type EmbeddingModel } from "./encoder.js";
import { readHead } from "./encoder-head.js";
import { createGenerativeEngine, type NextToken, type TextModel } from "./generative.js";
import { type GgufHeader, readGgufHeader } from "./gguf.js";
import { identityOf } from "./identity.js";
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
  /** Told before a GPU is given anything to do. */
  readonly onGpu?: (gpu: string) => void;
}

/** The longest text that an encoder gets, with room for the two tokens that frame it. */
const ENCODER_CONTEXT = 256;
const LEAST_CONTEXT = 1024;
const BATCH = 512;
/** Milliseconds that loading a model may take. */
const LOAD_LIMIT = 300_000;

/** Loads a GGUF and returns the engine of its kind. Throws E_MODEL. */
export async function createLlamaEngine(options: LlamaEngineOptions): Promise<Engine> {
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
  const build = [await libraryVersion(), llamaCppRelease, buildType, gpu, systemInfo, model.gpuLayers];
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
export interface Loaded {
  readonly llama: Llama;
  readonly model: LlamaModel;
  readonly threads: number;
  /** What llama.cpp had to say, errors only. */
  readonly log: readonly string[];
}

/** Loads a GGUF whose header was checked. Throws E_MODEL. */
export async function load(options: LlamaEngineOptions): Promise<Loaded> {
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

/** A language model, ready for tokens. */
export async function openText(loaded: Loaded, options: LlamaEngineOptions): Promise<TextModel> {
  const { llama, model } = loaded;
  const { contextSize, sequence } = await openSequence(loaded, options);
  return {
    contextSize,
    tokenize: (text, special) => model.tokenize(text, special),
    evaluated: () => sequence.contextTokens,
    truncate: (position) => sequence.eraseContextTokenRanges([{ start: position, end: sequence.nextTokenIndex }]),
    evaluate: async (tokens) => {
      await sequence.controlledEvaluate([...tokens] as Token[]);
    },
    evaluateNext: (tokens, candidates) => evaluateNext(sequence, tokens, candidates),
    saveState: async (path) => (await sequence.saveStateToFile(path)).fileSize,
    loadState: (path) => sequence.loadStateFromFile(path, { acceptRisk: true }),
    dispose: () => llama.dispose(),
  };
}

async function openSequence({ model, threads }: Loaded, options: LlamaEngineOptions) {
  const wanted = Math.min(options.context ?? 4096, model.trainContextSize ?? Infinity);
  for (let contextSize = wanted; ; contextSize = Math.floor(contextSize / 2)) {
    try {
      const context = await model.createContext({
        sequences: 1,
        contextSize,
        batchSize: BATCH,
        threads,
      });
      if (contextSize < wanted)
        options.warn?.(`context: ${wanted} tokens do not fit into memory: using ${contextSize}`);
      return { contextSize, sequence: context.getSequence({ contextShift: { strategy: refuseShift } }) };
    } catch (error) {
      if (contextSize / 2 < LEAST_CONTEXT || (error as Error).name !== "InsufficientMemoryError") throw error;
    }
  }
}

/** The library would silently drop the beginning of a prompt that is too long; ours never is. */
function refuseShift(): never {
  throw new Error("the prompt is longer than the context");
}

async function evaluateNext(
  sequence: LlamaContextSequence,
  tokens: readonly number[],
  candidates: readonly number[],
): Promise<NextToken> {
  const last = tokens.at(-1);
  if (last === undefined) throw new Error("nothing to evaluate");
  // The selected token is the likeliest one at temperature 0, and totalLogitWeight is Σ exp(logit - its logit).
  const filter = { tokens: [...candidates] as Token[], includeSelected: true };
  const generateNext = { totalLogitWeight: true, logits: { filter } };
  const result = await sequence.controlledEvaluate([
    ...(tokens.slice(0, -1) as Token[]),
    [last as Token, { generateNext }],
  ]);
  const next = result.at(-1)?.next;
  if (!next?.logits || next.totalLogitWeight === undefined) throw new Error("the model gave no logits");
  const logits = new Map<number, number>(next.logits);
  return { logits, logTotal: Math.max(...logits.values()) + Math.log(next.totalLogitWeight) };
}

function unusable(path: string, cause: unknown, log: readonly string[]): ArchRouteError {
  if (cause instanceof ArchRouteError) return cause;
  const detail = [firstLine(cause), ...log.slice(0, 1)].join(": ");
  return new ArchRouteError("E_MODEL", `model ${path}: cannot be loaded: ${detail}`, { cause });
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
}
