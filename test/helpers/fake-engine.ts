import type { Conversation } from "../../src/core/conversation.js";
import type { Engine } from "../../src/core/engine.js";
import { OTHER, type Route } from "../../src/core/route.js";

export interface FakeEngine extends Engine {
  /** Every conversation that was ranked, with its routes. */
  readonly calls: { readonly routes: readonly Route[]; readonly conversation: Conversation }[];
  readonly disposed: () => boolean;
}

/**
 * An engine without a model: the route whose name stands in the last message gets 0.9, without one `other` does; "NAME=0.3"
 * in the message gives exactly that, the rest shared evenly.
 */
export function createFakeEngine(options: { delay?: number; onRank?: (call: number) => void } = {}): FakeEngine {
  const calls: FakeEngine["calls"] = [];
  let disposed = false;
  return {
    model: "fake",
    calls,
    disposed: () => disposed,
    async rank(routes, conversation) {
      options.onRank?.(calls.length);
      calls.push({ routes, conversation });
      if (options.delay) await new Promise((resolve) => setTimeout(resolve, options.delay));
      const text = conversation.at(-1)?.content ?? "";
      const names = [...routes.map((route) => route.name), OTHER];
      const chosen = names.find((name) => text.includes(name)) ?? OTHER;
      const share = Number(new RegExp(`${chosen}=([\\d.]+)`).exec(text)?.[1] ?? 0.9);
      const rest = (1 - share) / (names.length - 1);
      return {
        logProbabilities: names.map((name) => Math.log(name === chosen ? share : rest)),
        tokens: { prompt: 10, cached: calls.length > 1 ? 5 : 0 },
        trimmed: false,
      };
    },
    async dispose() {
      disposed = true;
    },
  };
}
