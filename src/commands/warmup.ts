import type { Conversation } from "../core/conversation.js";
import { fill, findTarget } from "../core/dispatch.js";
import type { Engine } from "../core/engine.js";
import { createRouter } from "../core/router.js";
import type { Config } from "../io/config.js";
import { findModel } from "../io/model-file.js";
import { readSession } from "../io/session-store.js";
import { startDetached } from "../io/spawn.js";

/**
 * Starts the `warmup` command for the route that is likely, so that its model loads while the router still decides. The
 * session's route is likely; else the small model guesses for a large one, which takes seconds where it takes
 * milliseconds. With the small model deciding there is nothing to guess ahead.
 */
export async function warmUp(
  conversation: Conversation,
  session: string | undefined,
  config: Config,
  open: (config: Config) => Promise<Engine>,
): Promise<void> {
  if (config.warmup === undefined) return;
  const decision = (await sessionDecision(session, config)) ?? (await guess(conversation, config, open));
  const target = decision && findTarget(config.routes, decision);
  if (target?.model === undefined) return;
  startDetached(fill(config.warmup, { model: target.model, route: decision?.route ?? "" }));
}

async function sessionDecision(session: string | undefined, { folders, routes }: Config) {
  const names = routes.routes.map((route) => route.name);
  const route = session === undefined ? undefined : await readSession(folders, session, names);
  return route === undefined ? undefined : ({ route, outcome: "matched" } as const);
}

async function guess(conversation: Conversation, config: Config, open: (config: Config) => Promise<Engine>) {
  if (config.server === undefined && (await findModel(config.model, config.folders, config.stores)).embedded)
    return undefined;
  const small = { ...config, model: "mini", server: undefined, cascade: false };
  const router = createRouter(await open(small), config.routes.routes, config);
  try {
    return await router.route(conversation);
  } finally {
    await router.dispose();
  }
}
