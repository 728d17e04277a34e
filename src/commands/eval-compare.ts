import type { Conversation, History } from "../core/conversation.js";
import type { Engine } from "../core/engine.js";
import { contest, isRight, type ScoredTurn, share } from "../core/evaluation.js";
import type { Comparison, Contrast, HistoryContrast } from "../core/evaluation-report.js";
import { OTHER } from "../core/route.js";
import { createRouter } from "../core/router.js";
import { mcnemarTest, wilsonInterval } from "../core/significance.js";
import { type Config, type Flags, resolveConfig } from "../io/config.js";
import type { LabelledRow } from "./eval-rows.js";
import { type ScoredRow, scoreRows } from "./eval-score.js";
import type { EngineUse } from "./open-engine.js";
import type { Surroundings } from "./route.js";

/** `--sweep-history`: the rows once more with all, the last, the last 2, 3 and 5 user messages, as far as they have so many. */
export async function sweepHistory(
  scored: readonly ScoredRow[],
  engine: Engine,
  config: Config,
): Promise<HistoryContrast[]> {
  const most = Math.max(...scored.flatMap(({ row }) => row.turns.map((turn) => userMessages(turn.conversation))));
  const histories: History[] = ["all", "last", ...[2, 3, 5].filter((count) => count < most)];
  const contrasts: HistoryContrast[] = [];
  for (const history of histories) {
    const router = createRouter(engine, config.routes.routes, { ...config, history });
    const { scored: again } = await scoreRows(rowsOf(scored), router);
    contrasts.push({ history, ...contrast(scored, again) });
  }
  return contrasts;
}

/** `--compare`: the rows once more with another route set or another model. Throws as resolveConfig does. */
export async function compare(
  reference: string,
  scored: readonly ScoredRow[],
  flags: Flags,
  { io, use, openEngine }: { io: Surroundings; use: EngineUse; openEngine: NonNullable<Surroundings["openEngine"]> },
): Promise<Comparison> {
  // A model that is named like one of this machine is one, also where a server is in use, and without the small one in
  // front of it.
  const other: Flags = isModel(reference)
    ? { model: reference, engine: "llama", url: undefined, cascade: "false" }
    : { routes: reference };
  const config = await resolveConfig({ ...flags, ...other }, io);
  const names = new Set([...config.routes.routes.map((route) => route.name), OTHER]);
  const common = scored.filter(({ row }) => row.routes || row.turns.every(({ label }) => names.has(label)));
  const engine = await openEngine(config, use);
  const router = createRouter(engine, config.routes.routes, config);
  const again = await scoreRows(rowsOf(common), router).finally(() => router.dispose());
  const turnsOf = (rows: readonly ScoredRow[]) => rows.reduce((sum, { turns }) => sum + turns.length, 0);
  const result = contrast(common, again.scored);
  const own = result.count === 0 ? 0 : (result.right - result.won + result.lost) / result.count;
  return { reference, own, leftOut: turnsOf(scored) - result.count, ...result };
}

/** `mini`, `arch-router[:quant]` or a GGUF file; everything else is a route set. */
function isModel(reference: string): boolean {
  return reference === "mini" || /^arch-router(:|$)/.test(reference) || /\.gguf$/i.test(reference);
}

/** Only records that both runs could score count. */
function contrast(first: readonly ScoredRow[], second: readonly ScoredRow[]): Contrast {
  const both = commonTurns(first, second);
  return contrastTurns(both.first, both.second);
}

/** The turns of the records that both runs could score; the second one had the first one's records, or some of them, in their order. */
export function commonTurns(first: readonly ScoredRow[], second: readonly ScoredRow[]) {
  const again = new Set(second.map(({ row }) => row));
  const turnsOf = (rows: readonly ScoredRow[]) => rows.flatMap(({ turns }) => turns);
  return { first: turnsOf(first.filter(({ row }) => again.has(row))), second: turnsOf(second) };
}

/** The second run beside the first, on the same turns in the same order. */
export function contrastTurns(before: readonly ScoredTurn[], after: readonly ScoredTurn[]): Contrast {
  const { onlyFirst: lost, onlySecond: won } = contest(before, after);
  const sum = share(after, isRight);
  return { ...sum, interval: wilsonInterval(sum.right, sum.count), lost, won, pValue: mcnemarTest(lost, won) };
}

export function rowsOf(scored: readonly ScoredRow[]): LabelledRow[] {
  return scored.map(({ row }) => row);
}

function userMessages(conversation: Conversation): number {
  return conversation.filter(({ role }) => role === "user").length;
}
