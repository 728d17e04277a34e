import { describe, expect, it } from "vitest";
import type { CompletionServer } from "../../src/core/completion.js";
import { ArchRouteError } from "../../src/core/errors.js";
import { buildPrompt, chatText } from "../../src/core/prompt.js";
import { createRemoteEngine } from "../../src/engine/remote.js";
import { bytesOf } from "../../src/engine/text-answers.js";

interface Fake {
  /** Probabilities of the tokens after what the answer has so far. */
  readonly after: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Tokens that it lists at most. */
  readonly most?: number;
  /** The tokens of a text, if it tells. */
  readonly split?: (text: string) => string[] | undefined;
  /** Characters that it takes. */
  readonly room?: number;
}

const routes = (...names: string[]) => names.map((name) => ({ name, description: `About ${name}` }));
const user = (content: string) => [{ role: "user", content }] as const;
const ANSWER = "<|im_start|>assistant\n";

function open({ after, most = Infinity, room = Infinity, split }: Fake, context = 4096) {
  const asked: { text: string; begun: string; count: number }[] = [];
  const server: CompletionServer = {
    model: "fake",
    context,
    async next(text, count) {
      const begun = text.slice(text.lastIndexOf(ANSWER) + ANSWER.length);
      asked.push({ text, begun, count });
      if (text.length > room) throw new ArchRouteError("E_TOO_LARGE", "too long");
      const listed = Object.entries(after[begun] ?? {})
        .sort(([, a], [, b]) => b - a)
        .slice(0, Math.min(count, most));
      const tokens = new Map(listed.map(([token, share]) => [bytesOf(token), Math.log(share)]));
      return { tokens, least: Math.min(...tokens.values()), prompt: text.length, cached: 7 };
    },
    split: async (text) => split?.(text)?.map(bytesOf),
    close: async () => undefined,
  };
  const engine = createRemoteEngine(server, { context, unicode: "raw" });
  const rank = async (names: string[], content = "hi") => {
    const scores = await engine.rank(routes(...names), user(content));
    return { ...scores, shares: scores.logProbabilities.map(Math.exp) };
  };
  return { asked, rank, engine };
}

function near(shares: readonly number[], expected: readonly number[]): void {
  expect(shares).toHaveLength(expected.length);
  expected.forEach((share, index) => {
    expect(shares[index]).toBeCloseTo(share, 3);
  });
}

describe("the remote engine", () => {
  it("reads the answers' first tokens off one list", async () => {
    const { asked, rank } = open({ after: { '{"route": "': { bug: 0.6, chat: 0.15, other: 0.05, The: 0.2 } } });
    const scores = await rank(["bug", "chat"]);
    near(scores.shares, [0.75, 0.1875, 0.0625]);
    expect(scores.inSet).toBeCloseTo(0.8, 6);
    expect(scores.tokens).toEqual({ prompt: asked[0]?.text.length, cached: 7 });
    expect(asked.map(({ text }) => text)).toEqual([
      `${chatText(buildPrompt(routes("bug", "chat"), user("hi")))}{"route": "`,
    ]);
  });

  it("goes on where answers begin alike, as often as it matters", async () => {
    const { asked, rank } = open({
      after: {
        '{"route": "': { bug: 0.8, other: 0.2 },
        '{"route": "bug': { '"}': 0.5, _: 0.25, s: 0.25 },
        '{"route": "bug_': { fix: 1 },
        '{"route": "bug_fix': { '"}': 0.9, _later: 0.1 },
      },
    });
    near((await rank(["bug", "bug_fix", "bug_fix_later"])).shares, [0.8 * (2 / 3), 0.8 * 0.3, 0.8 / 30, 0.2]);
    expect(asked.map(({ begun }) => begun.slice('{"route": "'.length))).toEqual(["", "bug", "bug_", "bug_fix"]);
  });

  it("does not go on for a mass that does not matter", async () => {
    const { asked, rank } = open({ after: { '{"route": "': { bug: 0.0002, other: 0.9998 } } });
    near((await rank(["bug", "bug_fix"])).shares, [0.0001, 0.0001, 0.9998]);
    expect(asked).toHaveLength(1);
  });

  it("cuts before the quote if an answer begins with no letter or digit", async () => {
    const { rank } = open({
      after: { '{"route":': { ' "': 0.6, ' ".': 0.4 }, '{"route": "': { C: 0.75, other: 0.25 } },
    });
    near((await rank([".hidden", "C++"])).shares, [0.4, 0.45, 0.15]);
  });

  it("shares evenly what parts within a character", async () => {
    const half = Buffer.from("日").subarray(0, 2);
    const server: CompletionServer = {
      model: "m",
      context: undefined,
      next: async () => ({
        tokens: new Map([
          [half.toString("latin1"), Math.log(0.5)],
          ["other", Math.log(0.5)],
        ]),
        least: Math.log(0.5),
        prompt: 1,
        cached: 0,
      }),
      split: async () => undefined,
      close: async () => undefined,
    };
    const engine = createRemoteEngine(server, { context: 4096, unicode: "raw" });
    near((await engine.rank(routes("日本", "日光"), user("hi"))).logProbabilities.map(Math.exp), [0.25, 0.25, 0.5]);
  });
});

describe("a server that tells its tokens", () => {
  /** As a tokenizer that cuts before and after `_`, and at the quotes. */
  const split = (text: string) => text.match(/\{"|":| "|"\}|_|[^_{"}: ]+/g) ?? undefined;

  it("is asked after whole tokens only, and not for what all answers share", async () => {
    const { asked, rank } = open({
      split,
      after: {
        '{"route": "': { bug: 0.8, other: 0.2 },
        '{"route": "bug': { '"}': 0.5, _: 0.5 },
        '{"route": "bug_fix': { '"}': 0.9, _: 0.1 },
      },
    });
    near((await rank(["bug", "bug_fix", "bug_fix_later"])).shares, [0.4, 0.36, 0.04, 0.2]);
    expect(asked.map(({ begun }) => begun.slice('{"route": "'.length))).toEqual(["", "bug", "bug_fix"]);
  });

  it("is not believed to mean an answer by a token that is none of it", async () => {
    const { rank } = open({ split, after: { '{"route": "': { b: 0.3, other: 0.6, chat: 0.00001 } } });
    near((await rank(["bug", "chat"])).shares, [0, 0, 1]);
  });

  it("is asked once a name", async () => {
    const texts: string[] = [];
    const told = (text: string) => {
      texts.push(text);
      return split(text);
    };
    const { rank } = open({ split: told, after: { '{"route": "': { bug: 0.8, other: 0.2 } } });
    await Promise.all([rank(["bug"]), rank(["bug"])]);
    await rank(["bug"]);
    expect(texts).toEqual(['{"route": "bug"}', '{"route": "other"}']);
  });
});

describe("answers that are not listed", () => {
  const words = (count: number, share: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`w${index}`, share]));

  it("make it ask for more, from then on at once", async () => {
    const { asked, rank } = open({ after: { '{"route": "': { ...words(100, 0.009), bug: 0.004, other: 0.002 } } });
    near((await rank(["bug"])).shares, [2 / 3, 1 / 3]);
    await rank(["bug"], "again");
    expect(asked.map(({ count }) => count)).toEqual([20, 200, 200]);
  });

  it("count as likely as they can be where the server lists no more", async () => {
    const { asked, rank } = open({ after: { '{"route": "': { ...words(18, 0.01), bug: 0.5, chat: 0.001 } }, most: 20 });
    // `other` is at most as likely as the last one listed.
    near((await rank(["bug", "chat"])).shares, [0.5 / 0.502, 0.001 / 0.502, 0.001 / 0.502]);
    expect(asked.map(({ count }) => count)).toEqual([20, 200]);
  });

  it("do not matter beside a list that covers nearly all", async () => {
    const { asked, rank } = open({ after: { '{"route": "': { bug: 0.9999, x: 0.00005 } } });
    expect((await rank(["bug", "chat"])).shares[0]).toBeGreaterThan(0.999);
    expect(asked).toHaveLength(1);
  });

  it("all of them: every answer is as likely as every other, and the share of the mass is none", async () => {
    const { rank } = open({ after: { '{"route": "': words(20, 0.05) } });
    const scores = await rank(["bug"]);
    near(scores.shares, [0.5, 0.5]);
    expect(scores.inSet).toBe(0);
  });
});

describe("what is too long", () => {
  const after = { '{"route": "': { bug: 0.9, other: 0.1 } };

  it("is cut before it is sent, as far as the context is known", async () => {
    const { asked, rank } = open({ after }, 1000);
    const { trimmed } = await rank(["bug"], "x".repeat(1_000_000));
    expect(trimmed).toBe(true);
    expect(asked).toHaveLength(1);
    expect(asked[0]?.text.length).toBeLessThanOrEqual(5000);
    expect(asked[0]?.text.length).toBeGreaterThan(4900);
  });

  it("is cut further until the server takes it", async () => {
    const { asked, rank } = open({ after, room: 3000 }, 1000);
    expect((await rank(["bug"], "x".repeat(10_000))).trimmed).toBe(true);
    expect(asked.at(-1)?.text.length).toBeLessThanOrEqual(3000);
    expect(asked.length).toBeLessThan(6);
  });

  it("is an error where the routes alone are", async () => {
    const { asked, rank } = open({ after, room: 100 }, 1000);
    await expect(rank(["bug"])).rejects.toMatchObject({ code: "E_TOO_LARGE" });
    expect(asked.length).toBeLessThan(10);
  });

  it("is the whole conversation where there is room", async () => {
    const { rank } = open({ after });
    expect((await rank(["bug"])).trimmed).toBe(false);
  });
});
