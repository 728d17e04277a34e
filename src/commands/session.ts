import type { Conversation } from "../core/conversation.js";
import type { Routing } from "../core/router.js";
import { keepSession, type SessionStep } from "../core/session.js";
import type { Config } from "../io/config.js";
import { readSession, writeSession } from "../io/session-store.js";

/** The session's name: as given, or (`auto`) taken from the first user message, which stays the same for a whole chat. */
export function sessionId(option: string, conversation: Conversation): string {
  if (option !== "auto") return `id:${option}`;
  return `auto:${conversation.find((message) => message.role === "user")?.content ?? ""}`;
}

/** Routes within a session: what it does to the decision, with the route noted for the next time. */
export async function withSession(
  routing: Routing,
  id: string,
  config: Config,
  warn: (message: string) => void,
): Promise<Routing & { readonly session: SessionStep }> {
  const previous = await readSession(
    config.folders,
    id,
    routing.ranking.map((entry) => entry.route),
  );
  const { decision, step } = keepSession(routing, previous, config.sessionMargin);
  if (decision.outcome === "matched") {
    await writeSession(config.folders, id, decision.route).catch((cause: Error) => {
      // Without the path of the file, which is another one each time.
      warn(`session: it cannot be remembered: ${cause.message.replace(/, .*/s, "")}`);
    });
  }
  return { ...routing, ...decision, session: step };
}
