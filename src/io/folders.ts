import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { NO_HOME } from "./home.js";

export type Environment = Readonly<Record<string, string | undefined>>;

/** The folders of this program, whether they exist or not. */
export interface Folders {
  /** The user's configuration. */
  readonly config: string;
  /** What can be made or fetched again: models, evaluated prefixes. */
  readonly cache: string;
  /** What cannot, but is no configuration: trusted files, notes already given. */
  readonly state: string;
}

/** The platform's folders; the XDG variables are honoured on every platform, if absolute as their specification asks. */
export function findFolders(env: Environment, platform: NodeJS.Platform = process.platform): Folders {
  const home = homeFolder(env, platform);
  const local = env["LOCALAPPDATA"] || join(home, "AppData", "Local");
  const native =
    platform === "win32"
      ? { config: env["APPDATA"] || join(home, "AppData", "Roaming"), cache: join(local, "Cache"), state: local }
      : platform === "darwin"
        ? {
            config: join(home, "Library", "Application Support"),
            cache: join(home, "Library", "Caches"),
            state: join(home, "Library", "Application Support"),
          }
        : { config: join(home, ".config"), cache: join(home, ".cache"), state: join(home, ".local", "state") };
  const folder = (xdg: string | undefined, base: string) => join(xdg && isAbsolute(xdg) ? xdg : base, "arch-route");
  return {
    config: folder(env["XDG_CONFIG_HOME"], native.config),
    cache: folder(env["XDG_CACHE_HOME"], native.cache),
    state: folder(env["XDG_STATE_HOME"], native.state),
  };
}

/** The user's home; without one (no HOME, a user id that the system does not know) a folder that does not exist. */
export function homeFolder(env: Environment, platform: NodeJS.Platform = process.platform): string {
  const named = env["HOME"] || (platform === "win32" && env["USERPROFILE"]);
  if (named) return named;
  try {
    return homedir();
  } catch {
    return NO_HOME;
  }
}
