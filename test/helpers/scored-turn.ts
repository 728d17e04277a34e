import { type Decision, decide, type Thresholds } from "../../src/core/decision.js";
import type { ScoredTurn } from "../../src/core/evaluation.js";
import { OTHER } from "../../src/core/route.js";

/** A turn with the given label and probabilities by candidate; what they lack of 1 goes to `other`. */
export function scoredTurn(
  label: string,
  shares: Readonly<Record<string, number>>,
  thresholds: Thresholds = {},
): ScoredTurn & { readonly decision: Decision } {
  const routes = Object.keys(shares).filter((name) => name !== OTHER);
  const sum = routes.reduce((total, name) => total + (shares[name] ?? 0), 0);
  const logProbabilities = [...routes.map((name) => shares[name] ?? 0), 1 - sum].map(Math.log);
  const scores = { logProbabilities, tokens: { prompt: 1, cached: 0 }, trimmed: false };
  const named = routes.map((name) => ({ name, description: name }));
  return { label, decision: decide(named, scores, thresholds) };
}
