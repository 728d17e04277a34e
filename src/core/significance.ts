import { logSumExp } from "./probability.js";

/** Bounds of a share, both 0 to 1. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

// 97.5 % of the standard normal distribution lie below it.
const Z = 1.959963984540054;

/** Wilson's 95 % interval of a share, `right` of `count`: it never leaves 0 to 1, and holds for few rows too. */
export function wilsonInterval(right: number, count: number): Interval {
  if (count === 0) return { low: 0, high: 1 };
  const share = right / count;
  const scale = 1 + Z ** 2 / count;
  const centre = (share + Z ** 2 / (2 * count)) / scale;
  const half = (Z / scale) * Math.sqrt((share * (1 - share)) / count + Z ** 2 / (4 * count ** 2));
  return { low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
}

/**
 * McNemar's exact test, two-sided: the probability of a split at least as uneven as `onlyFirst` to `onlySecond` if both sides
 * were equally good. The counts are the rows that only one side got right.
 */
export function mcnemarTest(onlyFirst: number, onlySecond: number): number {
  const count = onlyFirst + onlySecond;
  const logTerms = [count * Math.log(0.5)];
  for (let k = 1; k <= Math.min(onlyFirst, onlySecond); k++) {
    logTerms.push((logTerms[k - 1] ?? 0) + Math.log((count - k + 1) / k));
  }
  return Math.min(1, 2 * Math.exp(logSumExp(logTerms)));
}
