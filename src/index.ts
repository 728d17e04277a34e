/** The library: what the command line uses to decide, without the command line. */
export type { Conversation, History, Message, Role } from "./core/conversation.js";
export type { Decision, Outcome, RankedRoute, Thresholds } from "./core/decision.js";
export type { Engine, Scores } from "./core/engine.js";
export { ArchRouteError, type ErrorCode } from "./core/errors.js";
export type { Unicode } from "./core/prompt.js";
export type { Route, RouteSet, Target } from "./core/route.js";
export { createRouter, type Router, type RouterOptions, type Routing } from "./core/router.js";
export { createLlamaEngine, type LlamaEngineOptions } from "./engine/llama.js";
export { embeddedModel } from "./io/bundled.js";
