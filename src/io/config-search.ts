import "./home.js";

import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import * as cosmiconfig from "cosmiconfig/dist/Explorer.js";
import { ArchRouteError } from "../core/errors.js";
import { bundledRoutes } from "./bundled.js";
import { readRouteSet } from "./route-set-file.js";
import type { Settings } from "./settings.js";
import { fingerprint } from "./trust.js";

/** A configuration file that was found. */
export interface FoundFile {
  readonly path: string;
  readonly values: Settings;
}

/** A project's configuration file, its route set read in if it names a file. */
export interface ProjectFile extends FoundFile {
  /** What `arch-route trust` records: the sha256 of all that was read. */
  readonly fingerprint: string;
}

/** The user's own file. Throws E_CONFIG. */
export async function findUserFile(folder: string): Promise<FoundFile | undefined> {
  return await search(folder, ["config.yaml", "config.yml", "config.json"]);
}

/** The project's file: the nearest from `cwd` up to the repository's root, in `cwd` alone outside of one. Throws E_CONFIG. */
export async function findProjectFile(cwd: string): Promise<ProjectFile | undefined> {
  for (const folder of projectFolders(cwd)) {
    const found = await search(folder, [".arch-route.yaml", ".arch-route.yml", ".arch-route.json"]);
    if (!found) continue;
    const { path, values, text } = found;
    const { routes } = values;
    if (typeof routes !== "string" || bundledRoutes(routes)) return { path, values, fingerprint: fingerprint([text]) };
    const set = await readRouteSet(routes, folder);
    const { $schema: _, ...settings } = set.settings;
    return {
      path,
      values: { ...settings, ...values, routes: settings.routes },
      fingerprint: fingerprint([text, set.text]),
    };
  }
  return undefined;
}

function projectFolders(cwd: string): string[] {
  const chain: string[] = [];
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    chain.push(folder);
    if (existsSync(join(folder, ".git"))) return chain;
    if (folder === dirname(folder)) return chain.slice(0, 1);
  }
}

// cosmiconfig's public functions first look for a file about cosmiconfig itself and so run .config/config.js of the current
// folder (seen in 9.0.2): code from a stranger's checkout. Its search class reads what we name and nothing else.
const { Explorer } = cosmiconfig as unknown as {
  Explorer: new (
    options: object,
  ) => {
    search(folder: string): Promise<{ config: { values: Settings; text: string }; filepath: string } | null>;
  };
};

async function search(
  folder: string,
  searchPlaces: readonly string[],
): Promise<(FoundFile & { readonly text: string }) | undefined> {
  // The settings are wrapped: a key `$import` in the file is an unknown key, never an order to cosmiconfig to read others.
  const load = async (path: string, text: string) => {
    const { parseConfig } = await import("./config-file.js");
    return { values: parseConfig(path, text), text };
  };
  const explorer = new Explorer({
    moduleName: "arch-route",
    searchPlaces,
    loaders: { ".yaml": load, ".yml": load, ".json": load },
    searchStrategy: "none",
    ignoreEmptySearchPlaces: true,
    transform: (result: unknown) => result,
    cache: false,
  });
  // Where a file stands in the way of the folder, there is no configuration.
  const result = await explorer.search(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOTDIR") return null;
    if (error.code !== "EACCES" && error.code !== "EPERM") throw error;
    throw new ArchRouteError("E_CONFIG", `${folder}: cannot be read: ${error.message}`, {
      hint: "set XDG_CONFIG_HOME to a folder that can",
      cause: error,
    });
  });
  return result ? { ...result.config, path: result.filepath } : undefined;
}
