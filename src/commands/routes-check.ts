import { ArchRouteError, NO_ROUTE } from "../core/errors.js";
import { jsonLine, printable } from "../core/printable.js";
import { checkTexts, type Finding } from "../core/route-check.js";
import { probeRoutes } from "../core/route-probe.js";
import { type Config, type Flags, resolveConfig } from "../io/config.js";
import { hasColour } from "../io/streams.js";
import { createChalk } from "../ui/colour.js";
import { formatFindings } from "../ui/findings.js";
import { formatError } from "../ui/format.js";
import { openEngine } from "./open-engine.js";
import type { Surroundings } from "./route.js";

/** There are findings: the same code as a route that was required and is not there. */
const FOUND = NO_ROUTE;

/** `routes check`: what is wrong with the routes, and the edits that would mend it. Returns the exit code, 1 if there are any. */
export async function checkRoutes(
  flags: Flags,
  options: Readonly<Record<string, unknown>>,
  io: Surroundings,
): Promise<number> {
  const config = await resolveConfig(flags, io);
  const warn = (message: string) => io.stderr.write(formatError(new ArchRouteError("E_CONFIG", message)));
  if (options["quiet"] !== true) config.warnings.forEach(warn);
  const { routes } = config.routes;
  const texts = checkTexts(routes);
  const findings =
    options["static"] === true ? texts : [...texts, ...withoutKnown(await probe(config, warn, io), texts)];
  const from = config.origins.get("routes") ?? "";
  if (options["json"] === true)
    io.stdout.write(`${jsonLine({ routes: routes.length, routes_from: from, findings })}\n`);
  else if (findings.length === 0) io.stdout.write(`ok: ${routes.length} routes from ${printable(from)}\n`);
  else io.stdout.write(formatFindings(findings, createChalk(hasColour(io.stdout, io.env))));
  return findings.length === 0 ? 0 : FOUND;
}

async function probe(config: Config, warn: (message: string) => void, io: Surroundings): Promise<Finding[]> {
  const engine = await (io.openEngine ?? openEngine)(config, { isolated: false, warn });
  try {
    return await probeRoutes(engine, config.routes.routes, config.context);
  } finally {
    await engine.dispose();
  }
}

/** What the texts alone show is not said again because the model sees its effect too. */
function withoutKnown(measured: readonly Finding[], known: readonly Finding[]): Finding[] {
  const explained = new Set(known.filter(({ kind }) => kind !== "no-general-route").flatMap(({ routes }) => routes));
  return measured.filter(({ routes }) => !routes.some((name) => explained.has(name)));
}
