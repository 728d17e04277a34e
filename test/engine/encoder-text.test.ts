import { describe, expect, it } from "vitest";
import type { Conversation, Message } from "../../src/core/conversation.js";
import { queryTokens, routeText, routeTokens } from "../../src/engine/encoder-text.js";

const U = (content: string): Message => ({ role: "user", content });
const A = (content: string): Message => ({ role: "assistant", content });
/** Tokens are code points. */
const tokenize = (text: string) => Array.from(text, (char) => char.codePointAt(0) ?? 0);
const text = (tokens: readonly number[]) => String.fromCodePoint(...tokens);

describe("routeText", () => {
  it.each([
    ["bug_fixing", "bug fixing"],
    ["codeGeneration", "code generation"],
    ["HTMLParser", "htmlparser"],
    ["parseHTTPResponse2Xml", "parse httpresponse2 xml"],
    ["legal/contractReview", "legal contract review"],
    ["travel.booking-EU", "travel booking eu"],
    ["a::b", "a b"],
    ["a_-/.:b", "a b"],
    ["__init__", "init"],
    ["-x-", "x"],
    ["_", ""],
    ["v2.0Beta", "v2 0 beta"],
    ["x1Y2Z", "x1 y2 z"],
    ["日本語", "日本語"],
    ["ÉtéChaud", "étéchaud"],
    ["éA", "éa"],
    ["straßeNeu", "straße neu"],
    ["İstanbul", "i̇stanbul"],
    ["ΣΊΣΥΦΟΣ", "σίσυφος"],
    [" spaced  out ", "spaced  out"],
    ["C++", "c++"],
    ["snake_case.withCamel-And/Slash", "snake case with camel and slash"],
  ])("reads %j as %j", (name, words) => {
    expect(routeText({ name, description: "D: d" })).toBe(`${words}: D: d`);
  });
});

describe("routeTokens", () => {
  it.each([
    [120, 120, true],
    [121, 120, false],
    [9000, 120, false],
  ])("keeps of %d tokens the first %d", (length, kept, whole) => {
    const read = routeTokens({ name: "r", description: "d".repeat(length - 3) }, tokenize);
    expect([text(read.tokens), read.whole]).toEqual([`r: ${"d".repeat(kept - 3)}`, whole]);
  });
});

describe("queryTokens", () => {
  const long = (letter: string, head: number, tail: number) => `${letter.repeat(head)}…${letter.repeat(tail)}`;

  it.each<[string, Conversation, string, boolean]>([
    ["one message", [U("hi")], "hi", true],
    ["an empty message", [U("")], "", true],
    ["130 tokens whole", [U("x".repeat(130))], "x".repeat(130), true],
    [
      "of 131 tokens the first 80 and the last 50",
      [U(`${"a".repeat(66)}${"b".repeat(65)}`)],
      `${"a".repeat(66)}${"b".repeat(14)}…${"b".repeat(50)}`,
      false,
    ],
    [
      "a pipe before the words",
      [U(`${"+ line\n".repeat(50_000)}review this`)],
      `${"+ line\n".repeat(12).slice(0, 80)}…${"+ line\n".repeat(6).slice(-39)}review this`,
      false,
    ],
    ["the words before a pipe", [U(`review this${"x".repeat(1 << 20)}`)], `review this${long("x", 69, 50)}`, false],
    ["a greeting before", [A("welcome"), U("hi")], "hi | reply: welcome", true],
    ["two user messages", [U("a"), U("b")], "b | before: a", true],
    ["three turns", [U("1"), A("r1"), U("2")], "2 | before: 1 | reply: r1", true],
    [
      "five turns, without the first reply",
      [U("1"), A("r1"), U("2"), A("r2"), U("3")],
      "3 | before: 2 | before: 1 | reply: r2",
      false,
    ],
    [
      "three user messages before, no more",
      ["1", "2", "3", "4", "5"].map(U),
      "5 | before: 4 | before: 3 | before: 2",
      false,
    ],
    ["an empty reply", [U("1"), A(""), U("2")], "2 | before: 1 | reply: ", true],
    ["24 tokens of a message before", [U("b".repeat(24)), U("now")], `now | before: ${"b".repeat(24)}`, true],
    ["16 and 8 of a longer one", [U("b".repeat(25)), U("now")], `now | before: ${long("b", 16, 8)}`, false],
    ["30 tokens of a reply", [A("r".repeat(30)), U("now")], `now | reply: ${"r".repeat(30)}`, true],
    ["16 and 14 of a longer one", [A("r".repeat(31)), U("now")], `now | reply: ${long("r", 16, 14)}`, false],
  ])("reads %s", (_, conversation, expected, whole) => {
    const read = queryTokens(conversation, tokenize);
    expect([text(read.tokens), read.whole]).toEqual([expected, whole]);
  });

  it("does not tokenise megabytes for a hundred tokens", () => {
    const lengths: number[] = [];
    queryTokens([U("x".repeat(10_000_000))], (part) => {
      lengths.push(part.length);
      return tokenize(part);
    });
    expect(Math.max(...lengths)).toBe(130 * 24);
  });
});
