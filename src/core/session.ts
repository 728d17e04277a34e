import type { Decision } from "./decision.js";
import { OTHER } from "./route.js";

/** What a session did to a decision: it began with it, stayed where it was, or moved. */
export type SessionStep = "new" | "kept" | "switched";

/**
 * Keeps a conversation on its route. `previous` is the route it was on. A closing or a follow-up (no route fits, or none
 * clearly) stays there; another route takes over only if its probability is `margin` above the previous one's.
 */
export function keepSession(
  decision: Decision,
  previous: string | undefined,
  margin: number,
): { readonly decision: Decision; readonly step: SessionStep } {
  const known = decision.ranking.find(({ route }) => route === previous && route !== OTHER);
  if (known === undefined) return { decision, step: "new" };
  if (decision.outcome === "matched" && decision.route === known.route) return { decision, step: "kept" };
  if (decision.outcome === "matched" && decision.confidence - known.probability >= margin)
    return { decision, step: "switched" };
  return { decision: { ...decision, route: known.route, outcome: "matched" }, step: "kept" };
}
