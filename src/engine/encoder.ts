import type { Conversation } from "../core/conversation.js";
import type { Engine, Scores } from "../core/engine.js";
import { logSumExp } from "../core/probability.js";
import { type Route, readAlike } from "../core/route.js";
import { type EncoderText, queryTokens, routeText, routeTokens, type Tokenize } from "./encoder-text.js";
import type { VectorCache } from "./vector-cache.js";

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

export interface EncoderOptions {
  /** The routes of the run: embedded at once, and their tokens count as cached. */
  readonly routes?: readonly Route[] | undefined;
  /** Where the vectors of one route set are kept for the next run: of these routes, without them of the first ones. */
  readonly cache?: VectorCache | undefined;
}

/** Bi-encoder: the nearer a route's text is to the conversation's, the likelier the route. */
export function createEncoderEngine(
  model: string,
  embedding: EmbeddingModel,
  head: EncoderHead,
  { routes: ofRun, cache }: EncoderOptions = {},
): Engine {
  const known = new Map<string, Embedded>();
  let kept = ofRun;

  async function embed({ tokens }: EncoderText): Promise<Embedded> {
    return { vector: unit(await embedding.embed(tokens)), tokens };
  }

  /** The routes' vectors, and how many of their tokens did not have to be evaluated. */
  async function embedRoutes(routes: readonly Route[]) {
    if (known.size > MOST_VECTORS) known.clear();
    kept ??= routes;
    const texts = routes.map(routeText);
    const isNew = readAlike(routes, kept) && texts.some((text) => !known.has(text));
    const restored = isNew && (await restore(routes, texts));
    const all: Embedded[] = [];
    let reused = 0;
    for (const [index, route] of routes.entries()) {
      const text = texts[index] ?? "";
      const found = known.get(text);
      const embedded = found ?? (await embed(routeTokens(route, embedding.tokenize)));
      known.set(text, embedded);
      all.push(embedded);
      reused += found?.tokens.length ?? 0;
    }
    const tokens = all.map((embedded) => embedded.tokens);
    const vectors = all.map((embedded) => embedded.vector);
    if (isNew && !restored) await cache?.keep(tokens, vectors);
    return { vectors, reused, total: tokens.flat().length };
  }

  /** Puts the vectors that an earlier run kept among those that are known; false: there are none. */
  async function restore(routes: readonly Route[], texts: readonly string[]): Promise<boolean> {
    const tokens = routes.map((route) => routeTokens(route, embedding.tokenize).tokens);
    const vectors = await cache?.restore(tokens);
    vectors?.forEach((vector, index) => {
      known.set(texts[index] ?? "", { vector, tokens: tokens[index] ?? [] });
    });
    return vectors !== undefined;
  }

  async function rank(routes: readonly Route[], conversation: Conversation): Promise<Scores> {
    const text = queryTokens(conversation, embedding.tokenize);
    const query = await embed(text);
    const { vectors, reused, total } = await embedRoutes(routes);
    // What had to be evaluated again for a run's own routes depends on the records before; the output must not.
    const cached = ofRun === undefined ? reused : readAlike(routes, ofRun) ? total : 0;
    const logits = vectors.map((vector) => head.scale * dot(query.vector, vector));
    logits.push(otherLogit(head, query.vector));
    const sum = logSumExp(logits);
    return {
      logProbabilities: logits.map((logit) => logit - sum),
      tokens: { prompt: query.tokens.length + total, cached },
      trimmed: !text.whole,
    };
  }

  // One text at a time: a second one would wait for the same context anyway.
  let last: Promise<unknown> = Promise.resolve();
  if (ofRun) last = embedRoutes(ofRun).catch(() => undefined);
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
  /** Those that the model reads. */
  readonly tokens: readonly number[];
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
