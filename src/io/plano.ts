import { resolve } from "node:path";
import { parse } from "yaml";
import { ArchRouteError } from "../core/errors.js";
import { checkRoutes, type Route } from "../core/route.js";
import { readConfigText } from "./route-set-file.js";

/**
 * The routes of a Plano configuration (`routing_preferences`, at the top or under the entries of `llm_providers` or
 * `model_providers`); a route's model is the first that Plano would try. Throws E_CONFIG.
 */
export async function readPlanoRoutes(file: string, cwd: string): Promise<Route[]> {
  const path = resolve(cwd, file);
  const text = await readConfigText(path, "import");
  const fail = (why: string, cause?: unknown) =>
    new ArchRouteError("E_CONFIG", `${path}: ${why}`, { hint: "give a configuration of Plano", cause });
  let document: unknown;
  try {
    document = parse(text);
  } catch (cause) {
    throw fail((cause as Error).message.split("\n")[0] ?? "", cause);
  }
  const top = object(document);
  const providers = [...list(top["llm_providers"]), ...list(top["model_providers"])].map(object);
  const routes = [
    ...list(top["routing_preferences"]).map((item) => route(object(item), list(object(item)["models"])[0])),
    ...providers.flatMap((provider) =>
      list(provider["routing_preferences"]).map((item) => route(object(item), provider["model"])),
    ),
  ];
  if (routes.length === 0) throw fail("there are no routing_preferences in it");
  try {
    checkRoutes(routes, "/routing_preferences");
  } catch (error) {
    throw fail((error as Error).message, error);
  }
  return routes;
}

function route(preference: Readonly<Record<string, unknown>>, model: unknown): Route {
  const text = (value: unknown) => (typeof value === "string" ? value : "");
  return {
    name: text(preference["name"]),
    description: text(preference["description"]),
    // Plano writes provider/model; what runs locally has no provider.
    ...(typeof model === "string" && { model: model.replace(/^[^/]*\//, "") }),
  };
}

function object(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
