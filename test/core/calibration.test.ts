import { describe, expect, it } from "vitest";
import { calibrate, thresholdFor } from "../../src/core/calibration.js";
import { scoredTurn } from "../helpers/scored-turn.js";

const many = (count: number, label: string, share: number) =>
  Array.from({ length: count }, () => scoredTurn(label, { a: share, b: 1 - share }));

describe("calibrate", () => {
  it("finds nothing to mend in what comes true as often as promised", () => {
    const fit = calibrate([...many(80, "a", 0.8), ...many(20, "b", 0.8)]);
    expect(fit.ece).toBeCloseTo(0, 10);
    expect(fit.temperature.value).toBeCloseTo(1, 3);
    expect(fit.nll).toBeCloseTo(-(0.8 * Math.log(0.8) + 0.2 * Math.log(0.2)), 10);
  });

  it("cools down what promises too much", () => {
    const fit = calibrate([...many(60, "a", 0.95), ...many(40, "b", 0.95)]);
    expect(fit.ece).toBeCloseTo(0.35, 10);
    // 0.6 is reached at logit(0.95) / T = logit(0.6); `other`, all but impossible, takes a little of it.
    expect(fit.temperature.value).toBeCloseTo(Math.log(19) / Math.log(1.5), 0);
    expect(fit.temperature.ece).toBeLessThan(0.01);
    expect(fit.temperature.nll).toBeLessThan(fit.nll);
  });

  it("puts a confidence on the border into the bin below, as numpy's searchsorted does", () => {
    const { bins } = calibrate(many(1, "a", 0.75));
    expect(bins.map(({ count }) => count)).toEqual([0, 0, 0, 0, 0, 0, 0, 1, 0, 0]);
    expect(bins[7]).toEqual({ from: 0.7, to: 0.8, count: 1, confidence: expect.closeTo(0.75), accuracy: 1 });
  });

  it("survives a label that is no candidate, and one that is impossible", () => {
    const fit = calibrate([scoredTurn("x", { a: 1 }), scoredTurn("a", { a: 1 })]);
    expect(Number.isFinite(fit.nll)).toBe(true);
    expect(Number.isFinite(fit.temperature.value)).toBe(true);
  });
});

describe("thresholdFor", () => {
  const turns = [
    scoredTurn("a", { a: 0.95 }),
    scoredTurn("a", { a: 0.912 }),
    scoredTurn("b", { a: 0.8567 }),
    scoredTurn("a", { a: 0.7 }),
    scoredTurn("other", { a: 0.1 }),
  ];
  it.each([
    [1, { minConfidence: 0.9, precision: 1, coverage: 0.4 }],
    [0.75, { minConfidence: 0, precision: 0.75, coverage: 0.8 }],
    [0.7, { minConfidence: 0, precision: 0.75, coverage: 0.8 }],
    [0, { minConfidence: 0, precision: 0.75, coverage: 0.8 }],
  ])("%d", (target, expected) => {
    expect(thresholdFor(turns, target)).toEqual(expected);
  });

  it("finds none if the surest are wrong", () => {
    expect(thresholdFor([scoredTurn("b", { a: 0.9 }), scoredTurn("a", { a: 0.8 })], 0.9)).toBeUndefined();
  });

  it("does not part turns of equal confidence", () => {
    expect(thresholdFor([scoredTurn("a", { a: 0.9 }), scoredTurn("b", { a: 0.9 })], 0.9)).toBeUndefined();
  });
});
