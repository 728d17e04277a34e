import { describe, expect, it } from "vitest";
import { contentWords, nameWords, sameWords } from "../../src/core/words.js";

describe("contentWords", () => {
  it.each([
    ["Questions about the C++ code and its tests", "c++ code tests"],
    ["Writing, editing and fixing texts", "writing! editing! fixing! texts"],
    ["Help with all kinds of things", ""],
    ["Übersetzung von Texten", "übersetzung von texten"],
    ["Node.js e-mails", "node.js e-mails"],
  ])("%s", (text, expected) => {
    expect(
      contentWords(text)
        .map((word) => word.text + (word.isVerb ? "!" : ""))
        .join(" "),
    ).toBe(expected);
  });
});

it.each([
  ["bug_fixing", "bug fixing"],
  ["HomeDecor", "home decor"],
  ["route_2", ""],
  ["x", ""],
  ["misc", ""],
  ["general_questions", ""],
  ["cat-b", ""],
  ["work", "work"],
  ["customer_support", "customer support"],
])("nameWords of %s", (name, expected) => {
  expect(nameWords(name).join(" ")).toBe(expected);
});

it.each([
  ["test", "testing", true],
  ["errors", "error", true],
  ["queries", "query", true],
  ["sql", "sql", true],
  ["code", "coding", true],
  ["cat", "car", false],
])("sameWords %s %s", (a, b, same) => {
  expect(sameWords(a, b)).toBe(same);
});
