import { describe, expect, it } from "vitest";
import { decide } from "../../src/core/decision.js";

const routes = [
  { name: "a", description: "A" },
  { name: "b", description: "B" },
];
const scores = (...probabilities: number[]) => ({
  logProbabilities: probabilities.map(Math.log),
  tokens: { prompt: 1, cached: 0 },
  trimmed: false,
});

describe("decide", () => {
  it.each([
    ["the best route", [0.7, 0.2, 0.1], {}, "a", "matched"],
    ["other when it is best", [0.1, 0.2, 0.7], {}, "other", "other"],
    ["unsure under the confidence asked for", [0.45, 0.3, 0.25], { minConfidence: 0.5 }, "other", "unsure"],
    ["sure at exactly that confidence", [0.5, 0.3, 0.2], { minConfidence: 0.5 }, "a", "matched"],
    ["unsure under the margin asked for", [0.5, 0.45, 0.05], { minMargin: 0.1 }, "other", "unsure"],
    ["unsure rather than other", [0.3, 0.3, 0.4], { minConfidence: 0.5 }, "other", "unsure"],
    ["unsure for a route just under the margin", [0.5, 0.3, 0.2], { minMargin: 0.21 }, "other", "unsure"],
    ["other under no threshold", [0.3, 0.3, 0.4], { minConfidence: 0.4 }, "other", "other"],
    ["the user's order for a tie", [0.4, 0.4, 0.2], {}, "a", "matched"],
    ["a route rather than other for a tie", [0.4, 0.2, 0.4], {}, "a", "matched"],
  ] as const)("%s", (_, probabilities, thresholds, route, outcome) => {
    expect(decide(routes, scores(...probabilities), thresholds)).toMatchObject({ route, outcome });
  });

  it("ranks all candidates and keeps the best guess of the unsure", () => {
    const decision = decide(routes, scores(0.2, 0.5, 0.3), { minConfidence: 0.9 });
    expect(decision.ranking.map((entry) => entry.route)).toEqual(["b", "other", "a"]);
    expect(decision.confidence).toBeCloseTo(0.5);
    expect(decision.margin).toBeCloseTo(0.2);
  });

  it("takes a missing score for impossible", () => {
    const decision = decide(routes, scores(0.25));
    expect(decision.ranking.map((entry) => entry.probability)).toEqual([0.25, 0, 0]);
  });

  it("has no route to take where there is none", () => {
    const decision = decide([], scores(1));
    expect(decision).toEqual({
      ...{ route: "other", outcome: "other", confidence: 1, margin: 1 },
      ranking: [{ route: "other", probability: 1 }],
    });
  });

  it.each(["__proto__", "constructor", "toString"])("decides for a route named %s as for any other", (name) => {
    const decision = decide([{ name, description: "x" }], scores(0.9, 0.1));
    expect(decision).toMatchObject({ route: name, outcome: "matched" });
    expect(decision.ranking.map((entry) => entry.route)).toEqual([name, "other"]);
  });
});
