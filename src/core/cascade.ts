import type { Engine, Scores } from "./engine.js";

/** Default for the margin from which on the small model decides; README, "The cascade", has the curve that it is from. */
export const CASCADE_MARGIN = 0.5;

/**
 * Two engines as one: the small one answers where the probabilities of its two best candidates are at least `margin`
 * (0 to 1) apart, the large one gets the rest. `Scores.model` says who decided.
 */
export function createCascadeEngine(small: Engine, large: Engine, margin: number): Engine {
  return {
    model: `${small.model} + ${large.model}`,
    async rank(routes, conversation) {
      const scores = await small.rank(routes, conversation);
      if (marginOf(scores) >= margin) return { model: small.model, ...scores };
      return { model: large.model, ...(await large.rank(routes, conversation)) };
    },
    async dispose() {
      await Promise.all([small.dispose(), large.dispose()]);
    },
  };
}

/** Probability of the best candidate less that of the second, 0 to 1. */
function marginOf({ logProbabilities }: Scores): number {
  const [best = 0, second = 0] = logProbabilities.map(Math.exp).sort((a, b) => b - a);
  return best - second;
}
