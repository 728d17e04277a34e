import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { getLlama, LlamaLogLevel, type LlamaModel, type Token } from "node-llama-cpp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Conversation } from "../../src/core/conversation.js";
import type { Engine, Scores } from "../../src/core/engine.js";
import { OTHER, type Route } from "../../src/core/route.js";
import { createRouter, type Router } from "../../src/core/router.js";
import { queryTokens, routeTokens } from "../../src/engine/encoder-text.js";
import { createLlamaEngine, load } from "../../src/engine/llama.js";
import { embeddedModel } from "../../src/io/bundled.js";
import { temporaryFolder } from "../helpers/run-cli.js";

interface Stored {
  readonly cases: readonly {
    readonly name: string;
    readonly conversation: Conversation;
    readonly routes: readonly Route[];
    readonly tokens: readonly string[];
    readonly probabilities: readonly number[];
  }[];
  readonly vectors: Readonly<Record<string, string>>;
}

const stored: Stored = JSON.parse(readFileSync(new URL("../fixtures/vectors.json", import.meta.url), "utf8"));
const coding: readonly Route[] = JSON.parse(
  readFileSync(new URL("../../routes/coding.json", import.meta.url), "utf8"),
).routes;
const user = (content: string): Conversation => [{ role: "user", content }];
const probabilities = (scores: Scores) => scores.logProbabilities.map(Math.exp);
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

const seed =
  "fix this module 'torch.utils._pytree' has no attribute 'register_pytree_node'. " +
  "did you mean: '_register_pytree_node'?";

let engine: Engine;
let router: Router;

beforeAll(async () => {
  engine = await createLlamaEngine({ modelPath: embeddedModel.path, threads: 1, gpu: "off" });
  router = createRouter(engine, coding);
});

afterAll(() => engine?.dispose());

describe("mini on the coding routes", () => {
  it.each([
    [seed, "bug_fixing"],
    ["fix this bug", "bug_fixing"],
    ["write a python function that checks whether a number is prime", "code_generation"],
    ["make this SQL query faster, it takes 20 seconds on a million rows", "performance_optimization"],
    ["how do I authenticate against the Stripe API and list all customers?", "api_help"],
    ["what is the difference between a process and a thread?", "programming"],
    ["what should I cook for dinner tonight?", OTHER],
    ["who won the world cup in 1998?", OTHER],
  ])("routes %j to %s", async (prompt, route) => {
    expect((await router.route(prompt)).route).toBe(route);
  });

  it("follows the last user message", async () => {
    const conversation: Conversation = [
      { role: "user", content: "write a binary search in Go" },
      { role: "assistant", content: "func search(a []int, x int) int { return -1 }" },
      { role: "user", content: "now make it faster" },
    ];
    expect((await router.route(conversation)).route).toBe("performance_optimization");
  });

  it("says which model it is, and how much it read", async () => {
    const { model, tokens, trimmed, inSet } = await router.route("hello there");
    expect(model).toBe("arch-route-mini");
    expect(tokens.prompt - tokens.cached).toBeGreaterThan(0);
    expect(tokens.cached).toBeGreaterThan(0);
    expect(trimmed).toBe(false);
    expect(inSet).toBeUndefined();
  });
});

it("runs on the CPU without flash attention, with which short texts take longer", async () => {
  const { llama, model } = await load({ modelPath: embeddedModel.path, threads: 1, gpu: "off" });
  const { defaultContextFlashAttention } = model;
  await llama.dispose();
  expect(defaultContextFlashAttention).toBe(false);
});

describe("mini's probabilities", () => {
  it.each([
    "",
    "fix this bug",
    seed,
    "🙂".repeat(2000),
    "a".repeat(100_000),
    "\0\u0007\ufeff",
    "\ud800",
    "</s>[SEP]",
    " \n",
  ])("of %.20j sum to 1", async (prompt) => {
    const shares = probabilities(await engine.rank(coding, user(prompt)));
    expect(shares).toHaveLength(coding.length + 1);
    expect(sum(shares)).toBeCloseTo(1, 10);
    for (const share of shares) expect(share).toBeGreaterThan(0);
  });

  it("are the same to the last digit every time, in any company", async () => {
    const first = await engine.rank([...coding], user(seed));
    await engine.rank(coding.slice(1), user("something else entirely, and longer than the seed prompt was ".repeat(5)));
    const second = await engine.rank([...coding], user(seed));
    const fresh = await createLlamaEngine({ modelPath: embeddedModel.path, threads: 2, gpu: "off" });
    const third = await fresh.rank(coding, user(seed));
    await fresh.dispose();
    expect(second.logProbabilities).toEqual(first.logProbabilities);
    expect(third.logProbabilities).toEqual(first.logProbabilities);
  });

  it("and what counts as cached do not tell what came before, be the routes known, kept or new", async () => {
    const cache = temporaryFolder();
    const open = () =>
      createLlamaEngine({ modelPath: embeddedModel.path, threads: 1, gpu: "off", routes: coding, cache });
    const rankAll = async (records: readonly (readonly [readonly Route[], string])[]) => {
      const own = await open();
      const scores: Scores[] = [];
      for (const [routes, prompt] of records) scores.push(await own.rank(routes, user(prompt)));
      await own.dispose();
      return scores;
    };
    const [others, reversed] = [coding.slice(0, 3), coding.toReversed()];
    const [first] = await rankAll([[coding, seed]]);
    const [ownFirst] = await rankAll([[others, seed]]);
    const before = Array.from(
      { length: 50 },
      (_, index) =>
        [[coding, others, reversed, coding][index % 4] ?? coding, `request ${index} `.repeat(index)] as const,
    );
    const inARow = await rankAll([...before, [coding, seed], [others, seed], [coding, seed]]);
    expect(inARow.slice(-3)).toEqual([first, ownFirst, first]);
    expect(first?.logProbabilities).toEqual((await engine.rank(coding, user(seed))).logProbabilities);
    expect([(first?.tokens.cached ?? 0) > 0, ownFirst?.tokens.cached]).toEqual([true, 0]);
    expect(readdirSync(join(cache, "vectors"))).toHaveLength(1);
  });

  it("do not depend on the order of the routes", async () => {
    const forwards = await engine.rank(coding, user(seed));
    const backwards = await engine.rank(coding.toReversed(), user(seed));
    coding.forEach((_, index) => {
      const mirrored = backwards.logProbabilities[coding.length - 1 - index];
      expect(mirrored).toBeCloseTo(forwards.logProbabilities[index] as number, 10);
    });
  });

  it("are right for calls that overlap", async () => {
    const prompts = ["fix this bug", seed, "tell me a joke", "explain closures"];
    const alone: (readonly number[])[] = [];
    for (const prompt of prompts) alone.push((await engine.rank(coding, user(prompt))).logProbabilities);
    const together = await Promise.all(prompts.map((prompt) => engine.rank(coding, user(prompt))));
    expect(together.map((scores) => scores.logProbabilities)).toEqual(alone);
  });
});

describe("what mini computes agrees with an independent computation (make_vectors.py):", () => {
  let model: LlamaModel;
  let embed: (tokens: readonly number[]) => Promise<readonly number[]>;
  let dispose: () => Promise<void>;

  beforeAll(async () => {
    const llama = await getLlama({
      gpu: false,
      build: "never",
      skipDownload: true,
      progressLogs: false,
      logLevel: LlamaLogLevel.error,
      maxThreads: 1,
    });
    model = await llama.loadModel({ modelPath: embeddedModel.path });
    const context = await model.createEmbeddingContext({ contextSize: 256, batchSize: 256, threads: 1 });
    embed = async (tokens) =>
      (await context.getEmbeddingFor(tokens.length > 0 ? ([...tokens] as Token[]) : [model.tokens.bos as Token]))
        .vector;
    dispose = () => llama.dispose();
  });

  afterAll(() => dispose?.());

  it.each(stored.cases.map((entry) => [entry.name, entry] as const))("%s", async (_, entry) => {
    const tokenize = (text: string) => model.tokenize(text, false);
    const texts = [queryTokens(entry.conversation, tokenize), ...entry.routes.map((one) => routeTokens(one, tokenize))];
    expect(texts.map(({ tokens }) => tokens.join(" "))).toEqual(entry.tokens);
    for (const { tokens } of texts) {
      const bytes = Buffer.from(stored.vectors[tokens.join(" ")] ?? "", "base64");
      const expected = new Float32Array(new Uint8Array(bytes).buffer);
      expect(cosine(await embed(tokens), [...expected]), tokens.join(" ")).toBeGreaterThan(0.998);
    }
    const shares = probabilities(await engine.rank(entry.routes, entry.conversation));
    expect(shares).toHaveLength(entry.probabilities.length);
    entry.probabilities.forEach((expected, index) => {
      expect(Math.abs((shares[index] ?? 0) - expected), `${index}: ${shares[index]} v ${expected}`).toBeLessThan(0.03);
    });
  });
});

function cosine(a: readonly number[], b: readonly number[]): number {
  const dot = (x: readonly number[], y: readonly number[]) => sum(x.map((value, index) => value * (y[index] ?? 0)));
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}
