import * as v from "valibot";
import type { NextTokens } from "../core/completion.js";

const likely = v.object({
  token: v.string(),
  logprob: v.number(),
  // llama-server: the token's bytes, of which its text may lose some.
  bytes: v.nullish(v.array(v.number())),
});
/** OpenAI's completions, which vLLM, llama-cpp-python and most others follow. */
const byText = v.object({ top_logprobs: v.tupleWithRest([v.record(v.string(), v.nullable(v.number()))], v.unknown()) });
/** llama-server's, which has the form of chat completions here too. */
const byToken = v.object({ content: v.tupleWithRest([v.object({ top_logprobs: v.array(likely) })], v.unknown()) });

const usage = v.object({
  prompt_tokens: v.nullish(v.number()),
  prompt_tokens_details: v.nullish(v.object({ cached_tokens: v.nullish(v.number()) })),
});
const completion = v.object({
  choices: v.tupleWithRest([v.object({ logprobs: v.nullish(v.unknown()) })], v.unknown()),
  usage: v.nullish(usage),
});
const modelList = v.object({
  data: v.array(
    v.object({
      id: v.string(),
      // vLLM; llama-server
      max_model_len: v.nullish(v.number()),
      meta: v.nullish(v.object({ n_ctx: v.nullish(v.number()) })),
    }),
  ),
});

/** The answer of a completion → the list in it. `no-logprobs`: it is a completion without any; `other`: it is none. */
export function readCompletion(body: unknown): NextTokens | "no-logprobs" | "other" {
  const parsed = v.safeParse(completion, body);
  if (!parsed.success) return "other";
  const { choices, usage: used } = parsed.output;
  const tokens = readTokens(choices[0].logprobs);
  if (tokens.size === 0) return "no-logprobs";
  return {
    tokens,
    least: Math.min(...tokens.values()),
    prompt: used?.prompt_tokens ?? 0,
    cached: used?.prompt_tokens_details?.cached_tokens ?? 0,
  };
}

function readTokens(logprobs: unknown): Map<string, number> {
  const tokens = new Map<string, number>();
  // Two tokens may have one text: the likelier one is the one that is meant.
  const add = (bytes: string, logProbability: number) =>
    tokens.set(bytes, Math.max(logProbability, tokens.get(bytes) ?? -Infinity));
  if (v.is(byToken, logprobs)) {
    for (const { token, bytes, logprob } of logprobs.content[0].top_logprobs)
      add(Buffer.from(bytes ?? Buffer.from(token)).toString("latin1"), logprob);
  } else if (v.is(byText, logprobs)) {
    for (const [token, logprob] of Object.entries(logprobs.top_logprobs[0]))
      add(Buffer.from(token).toString("latin1"), logprob ?? -Infinity);
  }
  return tokens;
}

const pieces = v.object({
  tokens: v.array(v.object({ piece: v.union([v.string(), v.array(v.number())]) })),
});
const echoed = v.object({
  choices: v.tupleWithRest([v.object({ logprobs: v.object({ tokens: v.array(v.string()) }) })], v.unknown()),
});

/**
 * The tokens of a text, as bytes, in what llama-server's tokenizer says of it, or a completion that echoes it; undefined if
 * they are not there, or not those of the text.
 */
export function readSplit(body: unknown, text: string): readonly string[] | undefined {
  const list = v.is(pieces, body)
    ? body.tokens.map(({ piece }) => piece)
    : v.is(echoed, body)
      ? body.choices[0].logprobs.tokens
      : [];
  const tokens: string[] = [];
  let left = Buffer.from(text).toString("latin1");
  for (const piece of list) {
    const token = Buffer.from(piece as string).toString("latin1");
    // Before the text there may be a mark of its beginning, after it what the model adds.
    if (token === "" || left === "" || !left.startsWith(token)) continue;
    tokens.push(token);
    left = left.slice(token.length);
  }
  return left === "" ? tokens : undefined;
}

/** A list of models → the first one's name, or that of the one asked for, and what its context holds. */
export function readModels(body: unknown, wanted: string | undefined): { model?: string; context?: number } {
  const parsed = v.safeParse(modelList, body);
  if (!parsed.success) return {};
  const { data } = parsed.output;
  const found = data.find(({ id }) => id === wanted) ?? data[0];
  if (found === undefined) return {};
  const context = found.max_model_len ?? found.meta?.n_ctx;
  return { model: found.id, ...(typeof context === "number" && context > 0 && { context }) };
}

/** What a server says went wrong, in the forms that servers say it in; "" if it says nothing. */
export function readComplaint(body: unknown): string {
  const { error, message, detail } = (typeof body === "object" && body !== null ? body : {}) as Record<string, unknown>;
  for (const said of [(error as { message?: unknown } | undefined | null)?.message, error, message, detail]) {
    if (typeof said === "string") return said;
  }
  return "";
}
