import { describe, expect, it } from "vitest";
import {
  type Conversation,
  cutMiddle,
  type History,
  lastUserIndex,
  takeHistory,
  trimConversation,
} from "../../src/core/conversation.js";

/** "u:a" → the user said "a"; "a:b" → the assistant said "b". */
const say = (...turns: string[]): Conversation =>
  turns.map((turn) => ({ role: turn.startsWith("u:") ? "user" : "assistant", content: turn.slice(2) }));

describe("takeHistory", () => {
  const whole = say("u:1", "a:2", "u:3", "u:4", "a:5", "u:6");

  it.each<[History, number]>([
    ["all", 0],
    ["last", 5],
    [1, 5],
    [2, 3],
    [3, 2],
    [4, 0],
    [100, 0],
  ])("%s keeps everything from message %i on", (history, start) => {
    expect(takeHistory(whole, history)).toEqual(whole.slice(start));
  });

  it.each<[History, readonly string[]]>([
    ["last", ["u:3", "a:4"]],
    [1, ["u:3", "a:4"]],
    [2, ["u:1", "a:2", "u:3", "a:4"]],
    ["all", ["a:0", "u:1", "a:2", "u:3", "a:4"]],
  ])(
    "%s keeps the answer that follows the last user message, and what came before the first only for all",
    (history, turns) => {
      expect(takeHistory(say("a:0", "u:1", "a:2", "u:3", "a:4"), history)).toEqual(say(...turns));
    },
  );

  it("keeps a conversation that no user takes part in", () => {
    expect(takeHistory(say("a:1", "a:2"), "last")).toEqual(say("a:1", "a:2"));
  });
});

describe("lastUserIndex", () => {
  it.each([
    [["u:1"], 0],
    [["u:1", "a:2"], 0],
    [["u:1", "a:2", "u:3", "a:4"], 2],
    [["a:1"], -1],
    [[], -1],
  ])("of %j is %i", (turns, index) => {
    expect(lastUserIndex(say(...turns))).toBe(index);
  });
});

describe("cutMiddle", () => {
  it.each([
    ["abcdefghij", 10, "abcdefghij"],
    ["abcdefghij", 11, "abcdefghij"],
    ["abcdefghij", 9, "abcde…hij"],
    ["abcdefghij", 6, "abc…ij"],
    ["abcdefghij", 3, "ab…"],
    ["abcdefghij", 2, "a…"],
    ["abcdefghij", 1, "…"],
    ["", 0, ""],
  ])("cuts %j to %i characters: %j", (text, kept, cut) => {
    expect(cutMiddle(text, kept)).toBe(cut);
  });

  it("never tears a surrogate pair, whatever it keeps", () => {
    const text = "🙂".repeat(20);
    for (let kept = 1; kept <= 40; kept++) {
      const cut = cutMiddle(text, kept);
      expect(cut.length).toBeLessThanOrEqual(kept);
      expect(cut).toMatch(/^🙂*…?🙂*$/u);
    }
  });
});

/** One token a character, two a message. */
const cost = (conversation: Conversation) =>
  conversation.reduce((sum, { content }) => sum + 2 + [...content].length, 0);

function trim(conversation: Conversation, tokens: number, count = cost) {
  let calls = 0;
  const result = trimConversation(conversation, {
    tokens,
    count: (candidate) => {
      calls++;
      return count(candidate);
    },
  });
  return { ...result, calls };
}

describe("trimConversation", () => {
  const whole = say("u:first", "a:second", "u:third");

  it.each([
    [22, whole, false],
    [21, say("a:second", "u:third"), true],
    [15, say("a:second", "u:third"), true],
    [14, say("u:third"), true],
    [7, say("u:third"), true],
    [6, say("u:th…d"), true],
    [5, say("u:th…"), true],
    [4, say("u:t…"), true],
    [3, say("u:…"), true],
  ])("fits it into %i tokens", (tokens, conversation, trimmed) => {
    expect(trim(whole, tokens)).toMatchObject({ conversation, trimmed });
  });

  it("hands back the very conversation if it fits, with one look at it", () => {
    const result = trim(whole, 22);
    expect(result.conversation).toBe(whole);
    expect(result.calls).toBe(1);
  });

  it("keeps what follows the last user message as long as it fits, else drops it before the user's words", () => {
    const conversation = say("u:old", "u:question", "a:answer");
    expect(trim(conversation, 18).conversation).toEqual(say("u:question", "a:answer"));
    expect(trim(conversation, 17).conversation).toEqual(say("u:question"));
    expect(trim(conversation, 8).conversation).toEqual(say("u:que…on"));
  });

  it("leaves the least that there is when even that is too much", () => {
    for (const tokens of [0, 1, 2]) {
      expect(trim(whole, tokens)).toMatchObject({ conversation: say("u:…"), trimmed: true });
    }
  });

  it("cuts characters outside the basic plane whole", () => {
    const content = "🙂".repeat(50);
    for (let tokens = 3; tokens < 52; tokens++) {
      const { conversation } = trim([{ role: "user", content }], tokens);
      expect(conversation[0]?.content).toMatch(/^🙂*…🙂*$/u);
      expect(cost(conversation)).toBeLessThanOrEqual(tokens);
      // A cut may fall within a pair on either side; no more than that is lost.
      expect(cost(conversation)).toBeGreaterThanOrEqual(tokens - 2);
    }
  });

  it("keeps head and tail of a message of 1 MB in few looks, none of them at all of it", () => {
    const content = `HEAD${"x".repeat(1_000_000)}TAIL`;
    let longest = 0;
    const { conversation, trimmed, calls } = trim([{ role: "user", content }], 4000, (candidate) => {
      longest = Math.max(longest, candidate[0]?.content.length ?? 0);
      return cost(candidate);
    });
    expect(trimmed).toBe(true);
    expect(cost(conversation)).toBe(4000);
    expect(conversation[0]?.content).toMatch(/^HEADx+…x+TAIL$/);
    expect(calls).toBeLessThanOrEqual(40);
    expect(longest).toBeLessThanOrEqual(4000 * 16);
  });

  it("keeps the newest of 5,000 turns in few looks", () => {
    const turns = Array.from({ length: 5000 }, (_, index) => `${index % 2 ? "a" : "u"}:message ${index}`);
    const { conversation, trimmed, calls } = trim(say(...turns), 1000);
    expect(trimmed).toBe(true);
    expect(cost(conversation)).toBeLessThanOrEqual(1000);
    expect(conversation).toEqual(say(...turns.slice(-conversation.length)));
    expect(cost(say(...turns.slice(-conversation.length - 1)))).toBeGreaterThan(1000);
    expect(calls).toBeLessThanOrEqual(40);
  });

  it("never tokenises much more than fits, even for 16 MB in many turns", () => {
    const turns = Array.from({ length: 160 }, () => `u:${"y".repeat(100_000)}`);
    let longest = 0;
    trim(say(...turns), 100, (candidate) => {
      longest = Math.max(
        longest,
        candidate.reduce((sum, { content }) => sum + content.length, 0),
      );
      return cost(candidate);
    });
    expect(longest).toBeLessThanOrEqual(100 * 16);
  });

  it("fits whatever can be fitted, keeps the last user message, and drops no more than it must", () => {
    const random = generator(7);
    for (let round = 0; round < 500; round++) {
      const turns = Array.from({ length: 1 + random(12) }, () => {
        const letters = Array.from({ length: random(30) }, () => ["x", "é", "🙂", "界"][random(4)]);
        return `${random(2) ? "u" : "a"}:${letters.join("")}`;
      });
      const conversation = say("u:start", ...turns);
      const tokens = 3 + random(200);
      const result = trim(conversation, tokens);
      const told = `round ${round}: ${tokens} tokens for ${JSON.stringify(turns)}`;
      const last = conversation[lastUserIndex(conversation)];

      expect(cost(result.conversation), told).toBeLessThanOrEqual(tokens);
      expect(result.trimmed, told).toBe(cost(conversation) > tokens);
      const kept = result.conversation.length;
      if (result.conversation.some((message) => message === last)) {
        expect(result.conversation, told).toEqual(conversation.slice(-kept));
        if (result.trimmed) expect(cost(conversation.slice(-kept - 1)), told).toBeGreaterThan(tokens);
      } else {
        const [head, tail] = (result.conversation[0]?.content ?? "").split("…");
        expect(kept, told).toBe(1);
        expect(cost(conversation.slice(lastUserIndex(conversation))), told).toBeGreaterThan(tokens);
        if (tail === undefined) expect(head, told).toBe(last?.content);
        else expect(last?.content.startsWith(head ?? "-") && last.content.endsWith(tail), told).toBe(true);
      }
    }
  });
});

/** Whole numbers below a limit, the same ones in every run. */
function generator(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}
