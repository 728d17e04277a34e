import type { Scores } from "./engine.js";
import { OTHER, type Route } from "./route.js";

/** `matched`: a route. `other`: the model said that none fits. `unsure`: the best guess is below a threshold. */
export type Outcome = "matched" | "other" | "unsure";

export interface RankedRoute {
  readonly route: string;
  readonly probability: number;
}

export interface Decision {
  /** The route to take; `other` unless the outcome is `matched`. */
  readonly route: string;
  readonly outcome: Outcome;
  /** Probability of the best candidate, 0 to 1. */
  readonly confidence: number;
  /** Probability of the best candidate less that of the second. */
  readonly margin: number;
  /** All routes and `other`, best first; ties keep the user's order. */
  readonly ranking: readonly RankedRoute[];
}

export interface Thresholds {
  /** Below this probability the outcome is `unsure`. */
  readonly minConfidence?: number;
  /** Below this margin the outcome is `unsure`. */
  readonly minMargin?: number;
}

/** Scores of `routes` (and `other`, last) → decision. */
export function decide(routes: readonly Route[], scores: Scores, thresholds: Thresholds = {}): Decision {
  const names = [...routes.map((route) => route.name), OTHER];
  const ranking = names
    .map((route, index) => ({ route, probability: Math.exp(scores.logProbabilities[index] ?? -Infinity) }))
    .sort((a, b) => b.probability - a.probability);
  const best = ranking[0] ?? { route: OTHER, probability: 0 };
  const confidence = best.probability;
  const margin = confidence - (ranking[1]?.probability ?? 0);
  const unsure = confidence < (thresholds.minConfidence ?? 0) || margin < (thresholds.minMargin ?? 0);
  const outcome = unsure ? "unsure" : best.route === OTHER ? "other" : "matched";
  return { route: outcome === "matched" ? best.route : OTHER, outcome, confidence, margin, ranking };
}
