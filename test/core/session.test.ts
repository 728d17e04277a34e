import { describe, expect, it } from "vitest";
import { type Decision, decide } from "../../src/core/decision.js";
import { keepSession } from "../../src/core/session.js";

const routes = ["a", "b"].map((name) => ({ name, description: name.toUpperCase() }));

/** The decision for these probabilities of a, b and other. */
const decided = (a: number, b: number, other: number, minConfidence = 0): Decision =>
  decide(
    routes,
    { logProbabilities: [a, b, other].map(Math.log), tokens: { prompt: 1, cached: 0 }, trimmed: false },
    { minConfidence },
  );

describe("keepSession", () => {
  it.each<[string, Decision, string | undefined, number, string, string]>([
    ["begins with the route that is decided", decided(0.7, 0.2, 0.1), undefined, 0.5, "a", "new"],
    ["begins with other where no route fits", decided(0.1, 0.2, 0.7), undefined, 0.5, "other", "new"],
    ["begins anew where its route is gone", decided(0.7, 0.2, 0.1), "gone", 0.5, "a", "new"],
    ["stays on the same route", decided(0.7, 0.2, 0.1), "a", 0.5, "a", "kept"],
    ["stays on the same route however little surer it is", decided(0.35, 0.33, 0.32), "a", 0.5, "a", "kept"],
    ["stays at a closing, which fits no route", decided(0.01, 0.01, 0.98), "b", 0.5, "b", "kept"],
    ["stays at a follow-up, which is unsure", decided(0.5, 0.3, 0.2, 0.9), "b", 0.5, "b", "kept"],
    ["stays if another route is better by less than the margin", decided(0.7, 0.3, 0), "b", 0.5, "b", "kept"],
    ["moves if another route is better by the margin", decided(0.75, 0.25, 0), "b", 0.5, "a", "switched"],
    ["moves if another route is better by more", decided(0.9, 0.05, 0.05), "b", 0.5, "a", "switched"],
    ["moves at the slightest with no margin", decided(0.4, 0.39, 0.21), "b", 0, "a", "switched"],
    ["never moves to another route with a margin of 1", decided(0.99, 0.005, 0.005), "b", 1, "b", "kept"],
    ["does not move to a route that is unsure", decided(0.8, 0.1, 0.1, 0.9), "b", 0.5, "b", "kept"],
  ])("%s", (_, decision, previous, margin, route, step) => {
    const kept = keepSession(decision, previous, margin);
    expect([kept.decision.route, kept.step]).toEqual([route, step]);
    expect(kept.decision.outcome).toBe(route === "other" ? "other" : "matched");
  });

  it("leaves the ranking as the model gave it", () => {
    const decision = decided(0.01, 0.01, 0.98);
    expect(keepSession(decision, "b", 0.5).decision.ranking).toBe(decision.ranking);
    expect(decision).toMatchObject({ route: "other", outcome: "other" });
  });

  it("knows names as plain words", () => {
    for (const name of ["__proto__", "constructor", "toString"]) {
      expect(keepSession(decided(0.7, 0.2, 0.1), name, 0.5).step).toBe("new");
    }
  });
});
