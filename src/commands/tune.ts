import { ArchRouteError } from "../core/errors.js";
import { readLabelled, type Turn } from "../core/labels.js";
import type { Route } from "../core/route.js";
import { type Flags, resolveConfig } from "../io/config.js";
import { parseJson } from "../io/json.js";
import { locateRouteFile, saveDescriptions } from "../io/route-file-edit.js";
import { readConfigText } from "../io/route-set-file.js";
import { hasColour } from "../io/streams.js";
import { formatError } from "../ui/format.js";
import { openEngine } from "./open-engine.js";
import type { Surroundings } from "./route.js";

/** `tune`: edits descriptions on a terminal while the probabilities move. `misses`: a report of `eval --json`. Returns the exit code. */
export async function tune(flags: Flags, misses: string | undefined, io: Surroundings): Promise<number> {
  if (io.stdin.isTTY !== true || io.stdout.isTTY !== true || io.env["TERM"] === "dumb") {
    throw new ArchRouteError("E_USAGE", "tune: there is no terminal", {
      hint: "run it in one; scripts edit the route file, then run arch-route routes check and arch-route eval",
    });
  }
  const config = await resolveConfig(flags, io);
  const warn = (message: string) => io.stderr.write(formatError(new ArchRouteError("E_CONFIG", message)));
  config.warnings.forEach(warn);
  const { routes } = config.routes;
  const turns = misses === undefined ? [] : await readMisses(misses, routes);
  const reference = flags.routes ?? io.env["ARCH_ROUTE_ROUTES"];
  let file = await locateRouteFile({ reference, origin: config.origins.get("routes") ?? "default" }, io.cwd());
  const engine = await (io.openEngine ?? openEngine)(config, { isolated: false, warn });
  try {
    const { showTune } = await import("../ui/tune.js");
    const save = async (edited: readonly Route[]) => {
      file = await saveDescriptions(file, edited);
      // A project's file that changed is no longer the one that was trusted.
      const { warnings } = await resolveConfig(flags, io);
      return [`saved: ${file.path}`, ...warnings].join("; ");
    };
    const colour = hasColour(io.stdout, io.env);
    await showTune({ routes, misses: turns, rank: engine.rank, save, colour }, io);
    return 0;
  } finally {
    await engine.dispose();
  }
}

/** The misses of a report that are about these routes. Throws E_CONFIG, E_JSON, E_SHAPE. */
async function readMisses(path: string, routes: readonly Route[]): Promise<Turn[]> {
  const report = await parseJson(await readConfigText(path, "misses"));
  const misses = typeof report === "object" && report !== null && "misses" in report ? report.misses : undefined;
  if (!Array.isArray(misses)) {
    throw new ArchRouteError("E_SHAPE", `${path}: there are no misses in it`, {
      hint: `make it with: arch-route eval FILE --json -o ${path}`,
    });
  }
  return misses.flatMap((miss: unknown) => readLabelled(miss, routes).turns);
}
