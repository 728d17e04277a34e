import { describe, expect, it } from "vitest";
import { branch, bytesOf, textOf } from "../../src/engine/text-answers.js";

const tokens = (...texts: string[]) => new Map(texts.map((text) => [bytesOf(text), -1]));
const answers = (...texts: string[]) => texts.map(bytesOf);

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

describe("bytes", () => {
  it.each(["", "other", "é", "日本", "🙂"])("of %j are a character each, and give the text back", (text) => {
    expect(bytesOf(text)).toHaveLength(Buffer.byteLength(text));
    expect(textOf(bytesOf(text))).toBe(text);
  });

  it("that end within a character are no text", () => {
    expect(textOf(bytesOf("日").slice(0, 2))).toBeUndefined();
  });
});
