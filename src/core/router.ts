import { type Conversation, type History, takeHistory } from "./conversation.js";
import { type Decision, decide, type Thresholds } from "./decision.js";
import type { Engine, Scores } from "./engine.js";
import { checkRoutes, type Route } from "./route.js";

export interface RouterOptions extends Thresholds {
  readonly history?: History;
}

/** A decision, and what the model had to say beside it. */
export interface Routing extends Decision, Pick<Scores, "inSet" | "tokens" | "trimmed"> {
  /** Name of the model that decided. */
  readonly model: string;
}

export interface Router {
  /**
   * Routes a conversation (a string is one user message), among other routes than the router's own if given; rejects
   * with E_SHAPE if those cannot be told apart.
   */
  route(conversation: Conversation | string, routes?: readonly Route[]): Promise<Routing>;
  /** Frees the engine. */
  dispose(): Promise<void>;
}

/** Ties an engine to a set of routes. Throws E_SHAPE for routes that cannot be told apart. */
export function createRouter(engine: Engine, routes: readonly Route[], options: RouterOptions = {}): Router {
  checkRoutes(routes);
  return {
    async route(conversation, own = routes) {
      if (own !== routes) checkRoutes(own);
      const messages =
        typeof conversation === "string" ? [{ role: "user", content: conversation } as const] : conversation;
      const scores = await engine.rank(own, takeHistory(messages, options.history ?? "all"));
      const { tokens, trimmed, inSet, model = engine.model } = scores;
      const decision = decide(own, scores, options);
      return { ...decision, model, tokens, trimmed, ...(inSet === undefined ? {} : { inSet }) };
    },
    dispose: () => engine.dispose(),
  };
}
