import type { Conversation } from "../core/conversation.js";
import type { Engine, Scores } from "../core/engine.js";
import { logSumExp } from "../core/probability.js";
import type { Route } from "../core/route.js";
import { type EncoderText, queryTokens, routeText, routeTokens, type Tokenize } from "./encoder-text.js";

/** What the encoder needs of a loaded embedding model. */
export interface EmbeddingModel {
  readonly tokenize: Tokenize;
  /** Token ids → vector, mean-pooled, of any length. */
  embed(tokens: readonly number[]): Promise<readonly number[]>;
  dispose(): Promise<void>;
}

/** The routing head that training put into the GGUF's metadata (`arch_route.*`). */
export interface EncoderHead {
  readonly scale: number;
  /** Logit of `other` when the text is near no direction. */
  readonly bias: number;
  /** Learned unit vectors of what is no route's business. */
  readonly directions: readonly (readonly number[])[];
  /** Added to scale · cos, one a direction. */
  readonly offsets: readonly number[];
}

// A batch in which every record brings its own routes must not fill the memory.
const MOST_VECTORS = 4096;

/** Bi-encoder: the nearer a route's text is to the conversation's, the likelier the route. */
export function createEncoderEngine(model: string, embedding: EmbeddingModel, head: EncoderHead): Engine {
  const known = new Map<string, Embedded>();

  async function embed({ tokens, whole }: EncoderText): Promise<Embedded> {
    return { vector: unit(await embedding.embed(tokens)), tokens: tokens.length, whole };
  }

  async function rank(routes: readonly Route[], conversation: Conversation): Promise<Scores> {
    const query = await embed(queryTokens(conversation, embedding.tokenize));
    if (known.size > MOST_VECTORS) known.clear();
    let cached = 0;
    let prompt = query.tokens;
    const logits: number[] = [];
    for (const route of routes) {
      const key = routeText(route);
      const found = known.get(key);
      const embedded = found ?? (await embed(routeTokens(route, embedding.tokenize)));
      if (found) cached += found.tokens;
      else known.set(key, embedded);
      prompt += embedded.tokens;
      logits.push(head.scale * dot(query.vector, embedded.vector));
    }
    logits.push(otherLogit(head, query.vector));
    const total = logSumExp(logits);
    return {
      logProbabilities: logits.map((logit) => logit - total),
      tokens: { prompt, cached },
      trimmed: !query.whole,
    };
  }

  // One text at a time: a second one would wait for the same context anyway.
  let last: Promise<unknown> = Promise.resolve();
  return {
    model,
    rank(routes, conversation) {
      const result = last.then(() => rank(routes, conversation));
      last = result.catch(() => undefined);
      return result;
    },
    dispose: () => embedding.dispose(),
  };
}

interface Embedded {
  readonly vector: readonly number[];
  readonly tokens: number;
  /** Nothing of the text was left out. */
  readonly whole: boolean;
}

function otherLogit(head: EncoderHead, query: readonly number[]): number {
  const near = head.directions.map((direction, k) => head.scale * dot(direction, query) + (head.offsets[k] ?? 0));
  return logSumExp([head.bias, ...near]);
}

function unit(vector: readonly number[]): number[] {
  const length = Math.sqrt(dot(vector, vector)) || 1;
  return vector.map((x) => x / length);
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, x, index) => sum + x * (b[index] ?? 0), 0);
}
