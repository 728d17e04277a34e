import { describe, expect, it } from "vitest";
import { branch, bytesOf, commonTokens, dropBytes, textOf } from "../../src/engine/text-answers.js";

const tokens = (...texts: string[]) => new Map(texts.map((text) => [bytesOf(text), -1]));
const answers = (...texts: string[]) => texts.map((text) => ({ bytes: bytesOf(text), tokens: undefined }));

describe("branch", () => {
  it("takes the longest token that an answer begins with, and leaves out those that reach over its end", () => {
    const { branches, missing } = branch(
      answers('bug"}', 'bug_fixing"}', 'other"}'),
      tokens("b", "bu", "bug", "bugs", "o", 'other"}\n'),
    );
    expect([...branches]).toEqual([
      ["bug", [0, 1]],
      ["o", [2]],
    ]);
    expect(missing).toEqual([]);
  });

  it("names the answers that no token begins", () => {
    const { branches, missing } = branch(answers('bug"}', 'other"}'), tokens("x", "", "other"));
    expect([...branches]).toEqual([["other", [1]]]);
    expect(missing).toEqual([0]);
  });

  it("knows a token that is part of a character", () => {
    const [first] = bytesOf("日");
    expect([...branch(answers("日本"), new Map([[first as string, -1]])).branches]).toEqual([[first, [0]]]);
  });
});

describe("answers whose tokens are known", () => {
  const known = (...tokens: string[]) => ({ bytes: tokens.join(""), tokens });

  it("go on with their own token, or with none that is listed", () => {
    const { branches, missing } = branch(
      [known("bug", "s"), known("b", "at"), known("ox")],
      tokens("b", "bu", "bug", "o"),
    );
    expect([...branches]).toEqual([
      ["bug", [0]],
      ["b", [1]],
    ]);
    expect(missing).toEqual([2]);
  });

  it.each([
    [[known("a", "b", "c"), known("a", "b", "d")], 2],
    [[known("ab", "c"), known("a", "bc")], 0],
    [[known("a", "b"), known("a", "b", "c")], 1],
    [[known("a", "b"), ...answers("ab")], 0],
    [[], 0],
  ])("%j begin with %i bytes in common", (some, length) => {
    expect(commonTokens(some)).toBe(length);
  });

  it("lose their tokens with their bytes", () => {
    expect(dropBytes(known("ab", "c", "d"), 3)).toEqual({ bytes: "d", tokens: ["d"] });
    expect(dropBytes({ bytes: "abc", tokens: undefined }, 2)).toEqual({ bytes: "c", tokens: undefined });
  });
});

describe("bytes", () => {
  it.each(["", "other", "é", "日本", "🙂"])("of %j are a character each, and give the text back", (text) => {
    expect(bytesOf(text)).toHaveLength(Buffer.byteLength(text));
    expect(textOf(bytesOf(text))).toBe(text);
  });

  it("that end within a character are no text", () => {
    expect(textOf(bytesOf("日").slice(0, 2))).toBeUndefined();
  });
});
