import type { Decision } from "../core/decision.js";
import { hasColour, type Streams } from "../io/streams.js";
import type { Progress } from "../ui/progress.js";
import { formatSummary, type Tally } from "../ui/tally.js";

/** Work on many records, counted, and shown on stderr while it goes on. */
export interface Following {
  /** A record is done; `share`: of all input, 0 to 1, so far. Draws, now and then. */
  count(decisions: readonly Pick<Decision, "route" | "outcome">[], failed: boolean, share?: number): Promise<void>;
  /** Takes the display away; what came of it all in one line, undefined if nothing was shown. */
  close(): string | undefined;
}

const REDRAW = 100;

/** Follows a batch if `shown`, and somebody is there to see it: ink is loaded for a terminal only. */
export function follow(shown: boolean, { stderr, env }: Streams): Following {
  const isSeen = shown && stderr.isTTY === true && env["TERM"] !== "dumb";
  const routes = new Map<string, number>();
  const started = Date.now();
  let [records, failed, unsure, drawn] = [0, 0, 0, 0];
  // What an earlier run has done took none of this one's time.
  let begun: number | undefined;
  let progress: Progress | undefined;

  function tally(share?: number): Tally {
    const seconds = (Date.now() - started) / 1000;
    const done = share === undefined || begun === undefined ? 0 : share - begun;
    const remaining = done > 0 ? (seconds * (1 - (share ?? 0))) / done : undefined;
    return { records, failed, unsure, routes, seconds, remaining };
  }

  return {
    async count(decisions, isFailed, share) {
      if (!isSeen) return;
      records++;
      if (isFailed) failed++;
      for (const { route, outcome } of decisions) {
        routes.set(route, (routes.get(route) ?? 0) + 1);
        if (outcome === "unsure") unsure++;
      }
      const now = Date.now();
      if (now - drawn >= REDRAW) {
        drawn = now;
        progress ??= (await import("../ui/progress.js")).showProgress(stderr, hasColour(stderr, env));
        progress.update(tally(share));
      }
      begun ??= share;
    },
    close() {
      progress?.close();
      return records > 0 ? formatSummary(tally()) : undefined;
    },
  };
}
