import type { Conversation } from "../core/conversation.js";
import type { Engine, Scores } from "../core/engine.js";
import { logSumExp } from "../core/probability.js";
import { type Route, readAlike } from "../core/route.js";
import type { VectorCache } from "./vector-cache.js";

/** What the encoder needs of a loaded embedding model. */
export interface EmbeddingModel {
  /** Text → token ids, without the ones that frame every text. */
  tokenize(text: string): number[];
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

// As in training (models/training): the first and the last token frame the text.
const MAX_TOKENS = 160 - 2;
const LAST_USER = 700;
const USER_BEFORE = 200;
const REPLY = 120;
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

  async function embed(text: string): Promise<Embedded> {
    const all = embedding.tokenize(text);
    const tokens = all.slice(0, MAX_TOKENS);
    return { vector: unit(await embedding.embed(tokens)), tokens, cut: all.length > tokens.length };
  }

  /** The routes' vectors, and how many of their tokens did not have to be evaluated. */
  async function embedRoutes(routes: readonly Route[]) {
    if (known.size > MOST_VECTORS) known.clear();
    kept ??= routes;
    const texts = routes.map(routeText);
    const isNew = readAlike(routes, kept) && texts.some((text) => !known.has(text));
    const restored = isNew && (await restore(texts));
    const all: Embedded[] = [];
    let reused = 0;
    for (const text of texts) {
      const found = known.get(text);
      const embedded = found ?? (await embed(text));
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
  async function restore(texts: readonly string[]): Promise<boolean> {
    const tokens = texts.map((text) => embedding.tokenize(text).slice(0, MAX_TOKENS));
    const vectors = await cache?.restore(tokens);
    vectors?.forEach((vector, index) => {
      known.set(texts[index] ?? "", { vector, tokens: tokens[index] ?? [], cut: false });
    });
    return vectors !== undefined;
  }

  async function rank(routes: readonly Route[], conversation: Conversation): Promise<Scores> {
    const { text, whole } = queryText(conversation);
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
      trimmed: !whole || query.cut,
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
  /** The text was longer than what the model reads. */
  readonly cut: boolean;
}

function otherLogit(head: EncoderHead, query: readonly number[]): number {
  const near = head.directions.map((direction, k) => head.scale * dot(direction, query) + (head.offsets[k] ?? 0));
  return logSumExp([head.bias, ...near]);
}

/** A route as the encoder reads it: its name in words, a colon, its description. */
export function routeText({ name, description }: Route): string {
  const words = name
    .replace(/(?<=[a-z0-9])(?=[A-Z])/g, " ")
    .replace(/[_\-/.:]+/g, " ")
    .toLowerCase()
    .trim();
  return `${words}: ${description}`;
}

/**
 * A conversation as the encoder reads it: the last user message, then the one before it and the last reply. `whole` is
 * false if anything of the conversation is not in it.
 */
export function queryText(conversation: Conversation): { readonly text: string; readonly whole: boolean } {
  const said = (role: string) => conversation.filter((message) => message.role === role).map(({ content }) => content);
  const [users, replies] = [said("user"), said("assistant")];
  const parts = [head(users.at(-1) ?? "", LAST_USER)];
  const before = users.at(-2);
  const reply = replies.at(-1);
  if (before !== undefined) {
    parts.push(` | before: ${head(before, USER_BEFORE)}`);
    if (reply !== undefined) parts.push(` | reply: ${head(reply, REPLY)}`);
  }
  const short = (text: string | undefined, limit: number) => head(text ?? "", limit) === (text ?? "");
  const whole =
    conversation.length === parts.length &&
    short(users.at(-1), LAST_USER) &&
    short(before, USER_BEFORE) &&
    (before === undefined || short(reply, REPLY));
  return { text: parts.join(""), whole };
}

/** The first `limit` characters, counted as Python does: by code point. */
function head(text: string, limit: number): string {
  if (text.length <= limit) return text;
  return Array.from(text.slice(0, limit * 2))
    .slice(0, limit)
    .join("");
}

function unit(vector: readonly number[]): number[] {
  const length = Math.sqrt(dot(vector, vector)) || 1;
  return vector.map((x) => x / length);
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, x, index) => sum + x * (b[index] ?? 0), 0);
}
