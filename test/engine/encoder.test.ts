import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Conversation, Message } from "../../src/core/conversation.js";
import type { Scores } from "../../src/core/engine.js";
import type { Route } from "../../src/core/route.js";
import { createCheckedFiles } from "../../src/engine/checked-files.js";
import { createEncoderEngine, type EmbeddingModel, type EncoderHead } from "../../src/engine/encoder.js";
import { createVectorCache } from "../../src/engine/vector-cache.js";
import { temporaryFolder } from "../helpers/run-cli.js";

const U = (content: string): Message => ({ role: "user", content });
const A = (content: string): Message => ({ role: "assistant", content });
const route = (name: string, description = "d") => ({ name, description });

interface FakeEmbedding extends EmbeddingModel {
  /** Every text that was embedded, as its tokens, in order. */
  readonly embedded: (readonly number[])[];
  readonly mostAtOnce: () => number;
  readonly disposed: () => boolean;
}

/** Tokens are code points; the vector of a text is looked up, by default one that depends on its first letter. */
function fakeEmbedding(vectors: Readonly<Record<string, readonly number[]>> = {}): FakeEmbedding {
  const embedded: (readonly number[])[] = [];
  let [atOnce, mostAtOnce, disposed] = [0, 0, false];
  return {
    embedded,
    mostAtOnce: () => mostAtOnce,
    disposed: () => disposed,
    tokenize: (text) => Array.from(text, (char) => char.codePointAt(0) ?? 0),
    async embed(tokens) {
      embedded.push(tokens);
      mostAtOnce = Math.max(mostAtOnce, ++atOnce);
      await new Promise((resolve) => setImmediate(resolve));
      atOnce--;
      const text = String.fromCodePoint(...tokens);
      if (text === "fail") throw new Error("no vector");
      return vectors[text] ?? [tokens[0] ?? 0, 100, 1];
    },
    async dispose() {
      disposed = true;
    },
  };
}

const head: EncoderHead = {
  scale: 10,
  bias: 1,
  directions: [
    [0, 1, 0],
    [0, 0, 1],
  ],
  offsets: [-2, 0.5],
};
const noHead: EncoderHead = { scale: 10, bias: 0, directions: [], offsets: [] };

describe("the encoder's scores", () => {
  it("are softmax over scale · cos of the routes and logsumexp(bias, scale · cos + offset) of other", async () => {
    const embedding = fakeEmbedding({
      q: [3, 4, 0],
      "a: d": [2, 0, 0],
      "b: d": [0, 0.5, 0],
      "c: d": [-1, 0, 1],
    });
    const engine = createEncoderEngine("m", embedding, head);
    const { logProbabilities } = await engine.rank([route("a"), route("b"), route("c")], [U("q")]);
    // By hand: q is (0.6, 0.8, 0); cosines 0.6, 0.8, -0.6/√2; the directions' 0.8 and 0.
    const other = Math.log(Math.exp(1) + Math.exp(10 * 0.8 - 2) + Math.exp(10 * 0 + 0.5));
    expect(other).toBeCloseTo(6.0107666, 6);
    const logits = [6, 8, -4.2426407, other];
    const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
    logits.forEach((logit, index) => {
      expect(logProbabilities[index]).toBeCloseTo(logit - total, 6);
    });
    expect(Math.exp(logProbabilities[1] as number)).toBeCloseTo(0.786077, 5);
  });

  it("give other its bias alone if there are no directions", async () => {
    const embedding = fakeEmbedding({ q: [1, 0, 0], "a: d": [0, 1, 0] });
    const { logProbabilities } = await createEncoderEngine("m", embedding, noHead).rank([route("a")], [U("q")]);
    expect(logProbabilities.map(Math.exp)).toEqual([expect.closeTo(0.5, 12), expect.closeTo(0.5, 12)]);
  });

  it("do not depend on how long vectors are", async () => {
    const short = fakeEmbedding({ q: [1, 2, 3], "a: d": [3, 1, 0] });
    const long = fakeEmbedding({ q: [1e3, 2e3, 3e3], "a: d": [3e-3, 1e-3, 0] });
    const [one, two] = await Promise.all(
      [short, long].map((embedding) => createEncoderEngine("m", embedding, head).rank([route("a")], [U("q")])),
    );
    expect(two?.logProbabilities[0]).toBeCloseTo(one?.logProbabilities[0] as number, 12);
  });

  it("are numbers for a vector of zeros, and for logits that overflow exp", async () => {
    const embedding = fakeEmbedding({ q: [0, 0, 0], big: [1, 0, 0], "a: d": [1, 0, 0] });
    const engine = createEncoderEngine("m", embedding, { ...noHead, scale: 5000 });
    for (const text of ["q", "big"]) {
      const { logProbabilities } = await engine.rank([route("a"), route("b")], [U(text)]);
      expect(logProbabilities.map(Math.exp).reduce((sum, share) => sum + share)).toBeCloseTo(1, 12);
    }
  });

  it("have no in-set share: the encoder can say nothing else", async () => {
    const scores = await createEncoderEngine("m", fakeEmbedding(), head).rank([route("a")], [U("q")]);
    expect(scores).not.toHaveProperty("inSet");
  });
});

describe("the encoder", () => {
  it("embeds a route once, and says how many tokens that saved", async () => {
    const embedding = fakeEmbedding();
    const engine = createEncoderEngine("m", embedding, head);
    const routes = [route("ab"), route("cde")];
    // "ab: d" has 5 tokens, "cde: d" 6.
    expect((await engine.rank(routes, [U("first")])).tokens).toEqual({ prompt: 5 + 5 + 6, cached: 0 });
    expect((await engine.rank(routes, [U("next one")])).tokens).toEqual({ prompt: 8 + 5 + 6, cached: 11 });
    expect((await engine.rank([route("cde"), route("new")], [U("x")])).tokens).toEqual({
      prompt: 1 + 6 + 6,
      cached: 6,
    });
    expect(embedding.embedded.map((tokens) => String.fromCodePoint(...tokens))).toEqual([
      "first",
      "ab: d",
      "cde: d",
      "next one",
      "x",
      "new: d",
    ]);
  });

  it("embeds a route anew if its description changed", async () => {
    const embedding = fakeEmbedding();
    const engine = createEncoderEngine("m", embedding, head);
    await engine.rank([route("a", "one")], [U("x")]);
    expect((await engine.rank([route("a", "two")], [U("x")])).tokens.cached).toBe(0);
  });

  it("gives the same scores from remembered routes as from new ones", async () => {
    const engine = createEncoderEngine("m", fakeEmbedding(), head);
    const routes = [route("x"), route("yy")];
    const first = await engine.rank(routes, [U("hello")]);
    expect((await engine.rank(routes, [U("hello")])).logProbabilities).toEqual(first.logProbabilities);
  });

  it("does not remember routes without end", async () => {
    const embedding = fakeEmbedding();
    const engine = createEncoderEngine("m", embedding, head);
    const many = Array.from({ length: 4097 }, (_, index) => route(`route${index}`));
    await Promise.all([engine.rank(many.slice(0, 2000), [U("x")]), engine.rank(many.slice(2000), [U("x")])]);
    expect((await engine.rank([many[0] ?? route("")], [U("x")])).tokens.cached).toBe(0);
  });

  it("reads a long text in part, and says so", async () => {
    const embedding = fakeEmbedding();
    const scores = await createEncoderEngine("m", embedding, head).rank([route("a")], [U("x".repeat(131))]);
    expect(embedding.embedded[0]).toHaveLength(131);
    expect(embedding.embedded[0]?.[80]).toBe("…".codePointAt(0));
    expect(scores.tokens.prompt).toBe(131 + 4);
    expect(scores.trimmed).toBe(true);
  });

  it("cuts a route's text as well, which does not count as trimming the conversation", async () => {
    const embedding = fakeEmbedding();
    const scores = await createEncoderEngine("m", embedding, head).rank([route("a", "x".repeat(500))], [U("q")]);
    expect(embedding.embedded[1]).toHaveLength(120);
    expect(scores.trimmed).toBe(false);
  });

  it("serves overlapping calls one after the other, in order", async () => {
    const embedding = fakeEmbedding();
    const engine = createEncoderEngine("m", embedding, head);
    await Promise.all(["first", "second", "third"].map((text) => engine.rank([route("r")], [U(text)])));
    expect(embedding.mostAtOnce()).toBe(1);
    const texts = embedding.embedded.map((tokens) => String.fromCodePoint(...tokens));
    expect(texts).toEqual(["first", "r: d", "second", "third"]);
  });

  it("serves the calls after one that failed", async () => {
    const engine = createEncoderEngine("m", fakeEmbedding(), head);
    const failing = engine.rank([route("a")], [U("fail")]);
    const next = engine.rank([route("a")], [U("fine")]);
    await expect(failing).rejects.toThrow("no vector");
    expect((await next).logProbabilities).toHaveLength(2);
  });

  it("disposes of its model", async () => {
    const embedding = fakeEmbedding();
    await createEncoderEngine("m", embedding, head).dispose();
    expect(embedding.disposed()).toBe(true);
  });
});

describe("a run's own routes", () => {
  const routes = [route("ab"), route("cde")];
  const others = [route("cde"), route("new")];

  it("are embedded before the first record", async () => {
    const embedding = fakeEmbedding();
    createEncoderEngine("m", embedding, head, { routes });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(embedding.embedded.map((tokens) => String.fromCodePoint(...tokens))).toEqual(["ab: d", "cde: d"]);
  });

  it("count as cached whatever came before, other routes never", async () => {
    const records = [routes, others, others, [route("ab")], [...routes], routes];
    const alone: Scores[] = [];
    for (const own of records) {
      alone.push(await createEncoderEngine("m", fakeEmbedding(), head, { routes }).rank(own, [U("x")]));
    }
    const engine = createEncoderEngine("m", fakeEmbedding(), head, { routes });
    const inARow: Scores[] = [];
    for (const own of records) inARow.push(await engine.rank(own, [U("x")]));
    expect(inARow).toEqual(alone);
    expect(inARow.map(({ tokens }) => tokens.cached)).toEqual([11, 0, 0, 0, 11, 11]);
  });
});

describe("the vectors of an earlier run", () => {
  const routes = [route("ab"), route("cde")];
  const open = (folder: string, options: { routes?: readonly Route[] } = {}) => {
    const embedding = fakeEmbedding();
    const cache = createVectorCache(createCheckedFiles({ folder, identity: "m" }));
    return { embedding, engine: createEncoderEngine("m", embedding, head, { ...options, cache }) };
  };

  it("are not computed again, count as cached, and change no number", async () => {
    const folder = join(temporaryFolder(), "vectors");
    const first = await open(folder).engine.rank(routes, [U("x")]);
    const { embedding, engine } = open(folder);
    const second = await engine.rank(routes, [U("x")]);
    expect([first.tokens.cached, second.tokens.cached]).toEqual([0, 11]);
    expect(embedding.embedded).toHaveLength(1);
    expect(second.logProbabilities).toEqual(first.logProbabilities);
  });

  it("are kept for the run's routes, or the first ones, and no others", async () => {
    for (const options of [{}, { routes }]) {
      const folder = join(temporaryFolder(), "vectors");
      const { engine } = open(folder, options);
      for (const own of [routes, [route("new")], [route("newer")], routes]) await engine.rank(own, [U("x")]);
      expect(readdirSync(folder)).toHaveLength(1);
    }
  });
});

describe("trimmed", () => {
  it.each<[string, Conversation, boolean]>([
    ["false if all was read", [U("short")], false],
    ["true if a message was left out", [U("1"), A("2"), U("3"), A("4"), U("5")], true],
    ["true if tokens were left out", [U("x".repeat(131))], true],
  ])("is %s", async (_, conversation, trimmed) => {
    const scores = await createEncoderEngine("m", fakeEmbedding(), head).rank([route("a")], conversation);
    expect(scores.trimmed).toBe(trimmed);
  });
});
