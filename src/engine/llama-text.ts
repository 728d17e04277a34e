import type { Llama, LlamaContextSequence, LlamaModel, Token } from "node-llama-cpp";
import type { NextToken, TextModel } from "./generative.js";

export interface LoadedModel {
  readonly llama: Llama;
  readonly model: LlamaModel;
  readonly threads: number;
}

interface TextOptions {
  /** Tokens that the context is to hold. Default: 4096. */
  readonly context?: number;
  /** Told when it holds fewer. */
  readonly warn?: (message: string) => void;
}

const LEAST_CONTEXT = 1024;
const BATCH = 512;

/** A language model, ready for tokens. */
export async function openText(loaded: LoadedModel, options: TextOptions): Promise<TextModel> {
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

async function openSequence({ model, threads }: LoadedModel, options: TextOptions) {
  const wanted = Math.min(options.context ?? 4096, model.trainContextSize ?? Infinity);
  for (let contextSize = wanted; ; contextSize = Math.floor(contextSize / 2)) {
    try {
      const context = await model.createContext({ sequences: 1, contextSize, batchSize: BATCH, threads });
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
