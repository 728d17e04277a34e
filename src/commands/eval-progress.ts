import { hasColour, type Streams } from "../io/streams.js";
import type { FailedRow } from "./eval-rows.js";
import type { ScoredRow } from "./eval-score.js";

/** Shows on stderr how far scoring is, if somebody is there to see it. */
export interface EvalProgress {
  readonly onRow: (row: ScoredRow | FailedRow) => Promise<void>;
  /** Takes the display away. */
  close(): void;
}

const REDRAW = 100;

/** The progress of `eval`: ink is loaded for a terminal only. */
export async function followProgress(quiet: boolean, { stderr, env }: Streams): Promise<EvalProgress> {
  if (quiet || stderr.isTTY !== true || env["TERM"] === "dumb") return { onRow: async () => undefined, close() {} };
  const { showProgress } = await import("../ui/progress.js");
  const started = Date.now();
  const routes = new Map<string, number>();
  let [records, failed, unsure, drawn] = [0, 0, 0, 0];
  const progress = showProgress(stderr, hasColour(stderr, env));
  return {
    async onRow(row) {
      records++;
      for (const { decision } of "turns" in row ? row.turns : []) {
        routes.set(decision.route, (routes.get(decision.route) ?? 0) + 1);
        if (decision.outcome === "unsure") unsure++;
      }
      if ("error" in row) failed++;
      const now = Date.now();
      if (now - drawn < REDRAW) return;
      drawn = now;
      progress.update({ records, failed, unsure, routes, seconds: (now - started) / 1000 });
    },
    close: () => progress.close(),
  };
}
