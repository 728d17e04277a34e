import type { Routing } from "../../src/core/router.js";
import type { Routed } from "../../src/ui/format.js";

const routing: Routing = {
  route: "bug_fixing",
  outcome: "matched",
  confidence: 0.9123456,
  margin: 0.8523456,
  ranking: [
    { route: "bug_fixing", probability: 0.9123456 },
    { route: "日本", probability: 0.06 },
    { route: "other", probability: 0.0276544 },
  ],
  model: "fake",
  tokens: { prompt: 412, cached: 231 },
  trimmed: false,
};

/** A routed record as a model might have given it, with what a test wants otherwise. */
export function routed(more: Partial<Routing> = {}): Routed {
  return { routing: { ...routing, ...more } };
}

/** A name that tries what a terminal might obey: OSC 52, BEL, C1, bidi, DEL. Printable, it is "abcde". */
export const hostile = "a\u001b]52;c;aGk=\u0007b\u009bc\u202ed\u007fe";
