import { describe, expect, it } from "vitest";
import { contest, evaluate, type ScoredTurn } from "../../src/core/evaluation.js";
import { scoredTurn } from "../helpers/scored-turn.js";

const a = scoredTurn("a", { a: 0.9, b: 0.05 });
const aAsB = scoredTurn("a", { a: 0.1, b: 0.8 });
const aAsOther = scoredTurn("a", { a: 0.1, b: 0.1 });
const aUnsure = scoredTurn("a", { a: 0.4, b: 0.3 }, { minConfidence: 0.5 });
const b = scoredTurn("b", { a: 0.05, b: 0.9 });
const other = scoredTurn("other", { a: 0.05, b: 0.05 });
const otherAsA = scoredTurn("other", { a: 0.9, b: 0.05 });
const otherUnsure = scoredTurn("other", { a: 0.3, b: 0.3 }, { minConfidence: 0.5 });

const figures = (turns: readonly ScoredTurn[]) => evaluate([turns], ["a", "b"]);

describe("turns, spans and conversations", () => {
  it.each<[string, ScoredTurn[][], string]>([
    ["one right turn", [[a]], "1/1 1/1 1/1"],
    ["a span is right if all its turns are", [[a, aAsB]], "1/2 0/1 0/1"],
    ["a span ends where the label changes", [[a, a, b, aAsB]], "3/4 2/3 0/1"],
    ["a label that comes back is a new span", [[a, b, a]], "3/3 3/3 1/1"],
    ["spans do not reach into the next conversation", [[a], [a], [aAsB]], "2/3 2/3 2/3"],
    ["unsure is never right", [[aUnsure], [otherUnsure]], "0/2 0/2 0/2"],
  ])("%s", (_, conversations, expected) => {
    const { turns, spans, conversations: whole } = evaluate(conversations, ["a", "b"]);
    expect([turns, spans, whole].map(({ right, count }) => `${right}/${count}`).join(" ")).toBe(expected);
  });
});

describe("evaluate", () => {
  it("counts labels against decisions, unsure in a column of its own", () => {
    const { confusion } = figures([a, aAsB, aAsOther, aUnsure, b, other, otherAsA, otherUnsure]);
    expect(confusion.labels).toEqual(["a", "b", "other"]);
    expect(confusion.predictions).toEqual(["a", "b", "other", "unsure"]);
    expect(confusion.counts).toEqual([
      [1, 1, 1, 1],
      [0, 1, 0, 0],
      [1, 0, 1, 1],
    ]);
  });

  it("accounts for other and unsure apart", () => {
    const result = figures([a, aAsB, aAsOther, aUnsure, b, other, otherAsA, otherUnsure]);
    expect(result.other).toEqual({ labelled: 3, routed: 1, refused: 1 });
    expect(result.unsure).toEqual({ count: 2, bestGuessRight: 2 });
    expect(result.answered).toEqual({ count: 6, right: 3, accuracy: 0.5 });
  });

  it("leaves open what cannot be computed", () => {
    const { routes, macroF1 } = figures([a]);
    expect(routes[1]).toEqual({
      route: "b",
      support: 0,
      predicted: 0,
      precision: undefined,
      recall: undefined,
      f1: undefined,
    });
    expect(macroF1).toBe(1);
  });

  it("keeps a route named unsure apart from the unsure", () => {
    const turn = scoredTurn("unsure", { unsure: 0.9 });
    expect(evaluate([[turn]], ["unsure"]).confusion.counts).toEqual([
      [1, 0, 0],
      [0, 0, 0],
    ]);
  });
});

it("contest counts what only one side got right", () => {
  expect(contest([a, aAsB, b, aAsB], [aAsB, a, b, aAsOther])).toEqual({ onlyFirst: 1, onlySecond: 1 });
});
