import { cascadeCurve, cascaded } from "../core/cascade-curve.js";
import type { Engine } from "../core/engine.js";
import { isRight, share } from "../core/evaluation.js";
import type { CascadeSweep } from "../core/evaluation-report.js";
import { createRouter } from "../core/router.js";
import type { Config } from "../io/config.js";
import { commonTurns, contrastTurns, rowsOf } from "./eval-compare.js";
import { type ScoredRow, type ScoreOptions, scoreRows } from "./eval-score.js";

/** `--sweep-cascade`: the rows, which the large model has scored, once more with the small one. Undefined: it could score none. */
export async function sweepCascade(
  scored: readonly ScoredRow[],
  small: Engine,
  config: Config,
  options: ScoreOptions,
): Promise<CascadeSweep | undefined> {
  const router = createRouter(small, config.routes.routes, config);
  const again = await scoreRows(rowsOf(scored), router, options);
  const turns = commonTurns(scored, again.scored);
  if (turns.second.length === 0) return undefined;
  const { points, recommended } = cascadeCurve(turns.second, turns.first);
  const decided = cascaded(turns.second, turns.first, recommended.margin);
  return {
    model: small.model,
    small: share(turns.second, isRight),
    large: share(turns.first, isRight),
    points,
    recommended: { ...recommended, ...contrastTurns(turns.first, decided) },
  };
}
