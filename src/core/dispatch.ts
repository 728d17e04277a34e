import type { Decision } from "./decision.js";
import type { RouteSet, Target } from "./route.js";

/**
 * What stands behind a decision: the route's own commands, else the common command with its model filled in; what is
 * set for `other` serves the unsure as well. Undefined: nothing is configured.
 */
export function findTarget({ routes, other, command }: RouteSet, decision: Decision): Target | undefined {
  const route = decision.outcome === "matched" ? routes.find(({ name }) => name === decision.route) : other;
  if (route === undefined) return undefined;
  const { model } = route;
  const run =
    route.run ?? (command && model !== undefined ? [fill(command, { model, route: decision.route })] : undefined);
  return { ...(model !== undefined && { model }), ...(run && { run }) };
}

/** `{model}` and `{route}` in the arguments of a command, wherever they stand. */
function fill(command: readonly string[], values: { readonly model: string; readonly route: string }): string[] {
  return command.map((argument) => argument.replace(/\{(model|route)\}/g, (_, key: "model" | "route") => values[key]));
}
