import { ArchRouteError } from "../core/errors.js";
import type { Environment } from "./folders.js";
import { isLoopback } from "./server-url.js";

/** What the environment says of connections to a server of the user's own. */
export interface ServerAccess {
  /** Proxies, and ARCH_ROUTE_API_KEY, which is read when a connection is made and kept nowhere else. */
  readonly env: Environment;
  /** No connection may leave this machine. */
  readonly offline: boolean;
}

/** Whether connections are refused: by the flag, or by a variable that says so. */
export function isOffline(flag: boolean, env: Environment): boolean {
  return flag || isSet(env["ARCH_ROUTE_OFFLINE"]) || isSet(env["HF_HUB_OFFLINE"]);
}

/** As huggingface_hub reads its switches: anything but nothing and the words for no. */
function isSet(text: string | undefined): boolean {
  return !["", "0", "false", "no", "off"].includes((text ?? "").toLowerCase());
}

/**
 * Headers that say who asks. Throws E_CONFIG where they must not be sent: over plain http anyone between could read the
 * key, and on this machine there is nobody between.
 */
export function authorization(url: URL, env: Environment): Readonly<Record<string, string>> {
  const key = (env["ARCH_ROUTE_API_KEY"] ?? "").trim();
  if (key === "") return {};
  // Anything else could end the header and begin another one.
  if (!/^[\x21-\x7e]+$/.test(key)) {
    throw new ArchRouteError("E_CONFIG", "ARCH_ROUTE_API_KEY: it holds characters that no key has", {
      hint: "set it to the key alone",
    });
  }
  const isPrivate = url.protocol === "https:" || isLoopback(url);
  if (isPrivate || isSet(env["ARCH_ROUTE_API_KEY_OVER_HTTP"])) return { authorization: `Bearer ${key}` };
  throw new ArchRouteError("E_CONFIG", `server ${url.host}: the key would be sent unencrypted`, {
    hint: "use https, or set ARCH_ROUTE_API_KEY_OVER_HTTP=1 if the network in between is yours",
  });
}

/** Throws E_CONFIG if no connection may be made to it. */
export function refuseOffline(url: URL, { offline }: ServerAccess): void {
  if (!offline || isLoopback(url)) return;
  throw new ArchRouteError("E_CONFIG", `offline: no connection is made to ${url.host}`, {
    hint: "leave out --offline (or ARCH_ROUTE_OFFLINE, HF_HUB_OFFLINE), or use a server on this machine",
  });
}
