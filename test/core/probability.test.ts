import { describe, expect, it } from "vitest";
import { logSumExp } from "../../src/core/probability.js";

describe("logSumExp", () => {
  it.each([
    ["probabilities that sum to 1", [Math.log(0.25), Math.log(0.75)], 0],
    ["one value", [-3], -3],
    ["equal values", [2, 2, 2, 2], 2 + Math.log(4)],
    ["values that exp cannot hold", [1000, 1000], 1000 + Math.log(2)],
    ["values that exp makes 0", [-1000, -1001], -1000 + Math.log1p(Math.exp(-1))],
    ["impossible ones among others", [-Infinity, 0, -Infinity], 0],
    ["impossible ones alone", [-Infinity, -Infinity], -Infinity],
    ["no values", [], -Infinity],
  ])("adds %s", (_, values, sum) => {
    const found = logSumExp(values);
    if (Number.isFinite(sum)) expect(found).toBeCloseTo(sum, 12);
    else expect(found).toBe(sum);
  });

  it("does not depend on the order or on a shift", () => {
    const values = [3, -1, 0.5, 2];
    expect(logSumExp(values.toReversed())).toBeCloseTo(logSumExp(values), 12);
    expect(logSumExp(values.map((value) => value + 500))).toBeCloseTo(logSumExp(values) + 500, 9);
  });
});
