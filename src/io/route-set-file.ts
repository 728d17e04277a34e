import { readFile, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { ArchRouteError } from "../core/errors.js";
import { bundledRouteNames, bundledRoutes } from "./bundled.js";
import type { RouteSetSettings } from "./settings.js";

const LARGEST = 16 * 1024 * 1024;

/** A route set as it was read, and the text it was read from. */
export interface RouteSetFile {
  readonly settings: RouteSetSettings;
  readonly text: string;
}

/** A route set by the name of a shipped one, or by path (from `folder`). Throws E_CONFIG. */
export async function readRouteSet(reference: string, folder: string): Promise<RouteSetFile> {
  const bundled = bundledRoutes(reference);
  const path = bundled ?? resolve(folder, reference);
  const text = await readConfigText(path, "routes");
  // The shipped sets are known to be right, and the YAML reader takes longer to load than the routing itself.
  if (bundled !== undefined) return { settings: JSON.parse(text) as RouteSetSettings, text };
  const { parseRouteSet } = await import("./config-file.js");
  return { settings: parseRouteSet(path, text), text };
}

/** The text of a small file that the user named. Throws E_CONFIG. */
export async function readConfigText(path: string, what: string): Promise<string> {
  try {
    const stats = await stat(path);
    if (stats.size > LARGEST) throw new Error("it is larger than 16 MiB");
    return await readFile(path, "utf8");
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    throw new ArchRouteError("E_CONFIG", `${what} ${path}: ${missing ? "no such file" : (cause as Error).message}`, {
      hint:
        what === "routes" ? `give a file, or one of ${bundledRouteNames().join(", ")}` : "give a file that can be read",
      cause,
    });
  }
}
