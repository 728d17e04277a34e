import { guessedRight, type ScoredTurn } from "./evaluation.js";
import { logSumExp } from "./probability.js";
import { OTHER } from "./route.js";

/** The turns whose confidence lies in one tenth of 0 to 1. */
export interface Bin {
  /** Exclusive, but for 0. */
  readonly from: number;
  /** Inclusive. */
  readonly to: number;
  readonly count: number;
  /** Mean confidence; 0 for an empty bin. */
  readonly confidence: number;
  /** Share of right best guesses; 0 for an empty bin. */
  readonly accuracy: number;
}

/** How far probabilities can be taken at their word. */
export interface Calibration {
  /** Expected calibration error: mean distance of confidence and accuracy over the bins, by their counts; 0 to 1. */
  readonly ece: number;
  /** Mean negative log-probability of the label, in nats. */
  readonly nll: number;
  readonly bins: readonly Bin[];
}

/** The calibration as it is, and as it would be with the log-probabilities divided by the temperature that fits best. */
export interface CalibrationFit extends Calibration {
  readonly temperature: { readonly value: number } & Omit<Calibration, "bins">;
}

const BINS = 10;
// What a model holds for impossible costs 69 nats, not all of them.
const LEAST = 1e-30;

/** Calibration of the best guesses, whatever the thresholds said (arXiv 1706.04599). */
export function calibrate(turns: readonly ScoredTurn[]): CalibrationFit {
  const items = turns.map(toItem);
  const temperature = 1 / minimise((inverse) => nll(items, inverse), 1 / 20, 20);
  const after = calibrationAt(items, 1 / temperature);
  return { ...calibrationAt(items, 1), temperature: { value: temperature, ece: after.ece, nll: after.nll } };
}

interface Item {
  readonly logs: readonly number[];
  /** Log-probability of the label; -69 if it was no candidate. */
  readonly label: number;
  readonly right: boolean;
}

function toItem(turn: ScoredTurn): Item {
  const log = (probability: number) => Math.log(Math.max(probability, LEAST));
  const { ranking } = turn.decision;
  return {
    logs: ranking.map(({ probability }) => log(probability)),
    label: log(ranking.find(({ route }) => route === turn.label)?.probability ?? 0),
    right: guessedRight(turn),
  };
}

/** `inverse`: one over the temperature. */
function calibrationAt(items: readonly Item[], inverse: number): Calibration {
  const bins = binned(items, inverse);
  const ece = bins.reduce((sum, bin) => sum + (bin.count / items.length) * Math.abs(bin.accuracy - bin.confidence), 0);
  return { ece, nll: nll(items, inverse), bins };
}

function nll(items: readonly Item[], inverse: number): number {
  const sum = items.reduce((total, { logs, label }) => total + logTotal(logs, inverse) - label * inverse, 0);
  return sum / items.length;
}

function logTotal(logs: readonly number[], inverse: number): number {
  return logSumExp(logs.map((log) => log * inverse));
}

function binned(items: readonly Item[], inverse: number): Bin[] {
  const bins = Array.from({ length: BINS }, () => ({ count: 0, confidence: 0, right: 0 }));
  for (const { logs, right } of items) {
    const confidence = Math.exp((logs[0] ?? 0) * inverse - logTotal(logs, inverse));
    const bin = bins[Math.min(BINS, Math.max(1, Math.ceil(confidence * BINS))) - 1];
    if (bin === undefined) continue;
    bin.count++;
    bin.confidence += confidence;
    bin.right += right ? 1 : 0;
  }
  return bins.map(({ count, confidence, right }, index) => ({
    from: index / BINS,
    to: (index + 1) / BINS,
    count,
    confidence: count === 0 ? 0 : confidence / count,
    accuracy: count === 0 ? 0 : right / count,
  }));
}

const GOLDEN = (Math.sqrt(5) - 1) / 2;

/** Where a function with one valley (the NLL is convex in 1/T) is lowest between two positive bounds; golden-section search. */
function minimise(f: (x: number) => number, low: number, high: number): number {
  let [a, b] = [low, high];
  let [left, right] = [b - GOLDEN * (b - a), a + GOLDEN * (b - a)];
  let [atLeft, atRight] = [f(left), f(right)];
  while (b - a > 1e-5) {
    if (atLeft < atRight) {
      [b, right, atRight] = [right, left, atLeft];
      left = b - GOLDEN * (b - a);
      atLeft = f(left);
    } else {
      [a, left, atLeft] = [left, right, atRight];
      right = a + GOLDEN * (b - a);
      atRight = f(right);
    }
  }
  return (a + b) / 2;
}

/** A `min_confidence`, and what it does. */
export interface Threshold {
  readonly minConfidence: number;
  /** Share of right ones among the turns that are then routed, 0 to 1. */
  readonly precision: number;
  /** Share of all turns that are then routed, 0 to 1. */
  readonly coverage: number;
}

/** The lowest `min_confidence` at which the routed turns are right as often as `target` (0 to 1); undefined: there is none. */
export function thresholdFor(turns: readonly ScoredTurn[], target: number): Threshold | undefined {
  const routed = turns
    .filter(({ decision }) => decision.ranking[0]?.route !== OTHER)
    .sort((a, b) => b.decision.confidence - a.decision.confidence);
  let right = 0;
  let found: Threshold | undefined;
  routed.forEach((turn, index) => {
    right += guessedRight(turn) ? 1 : 0;
    const { confidence } = turn.decision;
    const next = routed[index + 1]?.decision.confidence ?? 0;
    // Turns of equal confidence stay together: no threshold parts them.
    if (next === confidence || right / (index + 1) < target) return;
    const precision = right / (index + 1);
    found = {
      minConfidence: next === 0 ? 0 : shortest(next, confidence),
      precision,
      coverage: (index + 1) / turns.length,
    };
  });
  return found;
}

/** The number with the fewest decimals above `low` and up to `high`, both 0 to 1. */
export function shortest(low: number, high: number): number {
  for (let digits = 1; digits < 15; digits++) {
    const number = Math.floor(high * 10 ** digits) / 10 ** digits;
    if (number > low && number <= high) return number;
  }
  return high;
}
