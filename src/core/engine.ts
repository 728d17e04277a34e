import type { Conversation } from "./conversation.js";
import type { Route } from "./route.js";

/** What a model says of one conversation. */
export interface Scores {
  /** Natural logarithms of probabilities that sum to 1: one a route, in their order, then one for `other`. */
  readonly logProbabilities: readonly number[];
  /**
   * Share of the model's whole probability mass that lay on the candidates, 0 to 1. Near 0: it wanted to say
   * something else (a foreign model, a broken prompt). Absent where the model can say nothing else.
   */
  readonly inSet?: number;
  /**
   * Tokens that the model had to look at, and how many of them were evaluated before. In an engine that was given the
   * routes of a run, those of these routes, and 0 among others: it does not tell what was ranked before.
   */
  readonly tokens: { readonly prompt: number; readonly cached: number };
  /** The model did not see the whole conversation: it was over the budget. */
  readonly trimmed: boolean;
  /** Name of the model that these scores are from, if the engine has several. */
  readonly model?: string;
}

/** The port to a model: the only thing that the rest of the program knows of it. */
export interface Engine {
  /** Name for people and for the `model` key of the output. */
  readonly model: string;
  /** Scores every route and `other`. Calls may overlap; they are served in order. */
  rank(routes: readonly Route[], conversation: Conversation): Promise<Scores>;
  /** Frees the model; later calls of `rank` reject. */
  dispose(): Promise<void>;
}
