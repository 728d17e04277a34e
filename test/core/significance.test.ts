import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { mcnemarTest, wilsonInterval } from "../../src/core/significance.js";

interface Figures {
  readonly wilson: readonly (readonly [number, number, number, number])[];
  readonly mcnemar: readonly (readonly [number, number, number])[];
  readonly binomial: number;
}

const stored: Figures = JSON.parse(readFileSync(new URL("../fixtures/labelled.figures.json", import.meta.url), "utf8"));

describe("Wilson's interval is that of statsmodels", () => {
  it.each(stored.wilson)("%d of %d", (right, count, low, high) => {
    const interval = wilsonInterval(right, count);
    expect(interval.low).toBeCloseTo(low, 12);
    expect(interval.high).toBeCloseTo(high, 12);
  });

  it("says nothing of nothing", () => {
    expect(wilsonInterval(0, 0)).toEqual({ low: 0, high: 1 });
  });
});

describe("McNemar's exact test is that of statsmodels", () => {
  it.each(stored.mcnemar)("%d to %d", (first, second, pValue) => {
    expect(mcnemarTest(first, second)).toBeCloseTo(pValue, 10);
    expect(mcnemarTest(second, first)).toBeCloseTo(pValue, 10);
  });

  it("is scipy's binomial test, too", () => {
    expect(mcnemarTest(3, 13)).toBeCloseTo(stored.binomial, 12);
  });

  it("is 1 without any difference", () => {
    expect(mcnemarTest(0, 0)).toBe(1);
  });
});
