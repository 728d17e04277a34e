import { shortest } from "./calibration.js";
import { isRight, type ScoredTurn, type Share } from "./evaluation.js";

/** Two models on the same turns as a cascade with one margin. */
export interface CascadePoint extends Share {
  /** From this margin on the small model decides. */
  readonly margin: number;
  /** Share of the turns that the large model decides, 0 to 1. */
  readonly sentUp: number;
}

/** What every margin makes of two models. */
export interface CascadeCurve {
  /** Some of the margins, from none sent up to as many as can be. */
  readonly points: readonly CascadePoint[];
  /** The smallest share sent up that is as accurate as the large model alone; the most accurate one if none is. */
  readonly recommended: CascadePoint;
}

/** Shares sent up that a curve shows, as near as margins come to them from below. */
const SHARES = [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];

/** The same turns (one or more) decided by a small and a large model, in the same order → the cascades of the two. */
export function cascadeCurve(small: readonly ScoredTurn[], large: readonly ScoredTurn[]): CascadeCurve {
  const all = allPoints(small, large);
  const alone = large.filter(isRight).length;
  const most = Math.max(...all.map(({ right }) => right));
  const recommended = all.find(({ right }) => right >= Math.min(alone, most)) as CascadePoint;
  const shown = SHARES.map((share) => all.findLast(({ sentUp }) => sentUp <= share) as CascadePoint);
  return { points: [...new Set(shown)], recommended };
}

/** The turns as the cascade with a margin decides them. */
export function cascaded(
  small: readonly ScoredTurn[],
  large: readonly ScoredTurn[],
  margin: number,
): readonly ScoredTurn[] {
  return small.map((turn, index) => (turn.decision.margin >= margin ? turn : (large[index] ?? turn)));
}

/** One point for each set of turns that a margin can send up, the smallest set first. */
function allPoints(small: readonly ScoredTurn[], large: readonly ScoredTurn[]): CascadePoint[] {
  const turns = small
    .map((turn, index) => ({
      margin: turn.decision.margin,
      gain: Number(isRight(large[index] ?? turn)) - Number(isRight(turn)),
    }))
    .sort((a, b) => a.margin - b.margin);
  const count = turns.length;
  let right = small.filter(isRight).length;
  const point = (margin: number, sent: number) => ({
    ...{ margin, sentUp: sent / count },
    ...{ count, right, accuracy: right / count },
  });
  const points = [point(0, 0)];
  turns.forEach(({ margin, gain }, index) => {
    right += gain;
    const next = turns[index + 1]?.margin ?? 1;
    // Turns of equal margin stay together: no setting parts them; above 1 there is none.
    if (next > margin) points.push(point(shortest(margin, next), index + 1));
  });
  return points;
}
