import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ArchRouteError } from "../core/errors.js";
import { packageVersion } from "./bundled.js";
import { createDispatcher, type HttpResponse, send } from "./connection.js";
import { type Environment, homeFolder } from "./folders.js";
import { faultOfStatus } from "./hub-faults.js";
import { type Patience, TransferFault } from "./retry.js";
import { isLoopback } from "./server-url.js";

/** A connection to the hub, or to what plays it. */
export interface HubClient {
  /** Address of the hub, without a path. */
  readonly base: URL;
  /**
   * Asks for an address of the hub and follows its redirects. Resolves with a response that has a body: 200, 206 or 416.
   * Throws TransferFault, or E_DOWNLOAD when offline.
   */
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<HubResponse>;
  close(): Promise<void>;
}

export type HubResponse = HttpResponse;

export interface HubOptions {
  readonly env: Environment;
  /** Refuse every connection. */
  readonly offline: boolean;
  readonly patience: Patience;
  readonly signal?: AbortSignal | undefined;
}

const HUB = "https://huggingface.co";
const MOST_REDIRECTS = 5;
/** Where the hub sends its clients for large files (huggingface.co/docs/hub/models-downloading, "behind a proxy or firewall"). */
const storage = /(^|\.)(huggingface\.co|hf\.co)$/;

/** Opens nothing yet. Throws E_CONFIG if the address of the hub is not fit. */
export async function createHubClient({ env, offline, patience, signal }: HubOptions): Promise<HubClient> {
  const base = readBase(env["ARCH_ROUTE_HUB"] || env["HF_ENDPOINT"] || HUB);
  if (offline) return { base, get: () => Promise.reject(offlineError()), close: () => Promise.resolve() };
  const token = await readToken(env);
  const dispatcher = createDispatcher(env, patience);
  return {
    base,
    async get(path, headers = {}) {
      const all = { ...headers, "accept-encoding": "identity", "user-agent": `arch-route/${packageVersion()}` };
      let url = new URL(path, base);
      for (let hop = 0; hop <= MOST_REDIRECTS; hop++) {
        // A redirect never carries the token: the addresses that it leads to are signed.
        const authorized = hop === 0 && token !== undefined ? { ...all, authorization: `Bearer ${token}` } : all;
        const response = await send(url, { headers: authorized, dispatcher, signal });
        if ([200, 206, 416].includes(response.statusCode)) return response;
        await response.body.dump().catch(() => undefined);
        if (![301, 302, 303, 307, 308].includes(response.statusCode)) {
          throw faultOfStatus(response.statusCode, response.headers, { host: url.host, token: token !== undefined });
        }
        url = redirected(url, response.headers["location"], base);
      }
      throw new TransferFault(`${base.host} redirects in circles`, { again: false, hint: "try again later" });
    },
    close: () => dispatcher.destroy(),
  };
}

/** Where a redirect leads, if it may lead there. Throws TransferFault. */
function redirected(from: URL, location: string | string[] | undefined, base: URL): URL {
  const to = typeof location === "string" && URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (to !== undefined && to.username === "" && to.password === "" && isAllowed(to, base)) return to;
  const where = to === undefined ? "nowhere" : to.origin;
  throw new TransferFault(`${from.host} redirects to ${where}, which is no place of the hub's`, {
    again: false,
    hint: "a network that asks for a login does this: log in, or set HTTPS_PROXY",
  });
}

function isAllowed(url: URL, base: URL): boolean {
  if (url.origin === base.origin) return true;
  if (base.protocol === "http:") return url.protocol === "http:" && isLoopback(url);
  return url.protocol === "https:" && url.port === "" && storage.test(url.hostname);
}

/** Throws E_CONFIG unless it is an https address, or an http one of this machine. */
function readBase(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const safe = url?.protocol === "https:" || (url?.protocol === "http:" && isLoopback(url));
  if (url && safe && url.username === "" && url.password === "") return new URL(url.origin);
  throw new ArchRouteError("E_CONFIG", "the address of the hub (ARCH_ROUTE_HUB, HF_ENDPOINT) is not one of https", {
    hint: `leave it out for ${HUB}`,
  });
}

/** The user's token for the hub, from the places that huggingface_hub reads; undefined without one. */
async function readToken(env: Environment): Promise<string | undefined> {
  const caches = env["XDG_CACHE_HOME"] || join(homeFolder(env), ".cache");
  const file = env["HF_TOKEN_PATH"] || join(env["HF_HOME"] || join(caches, "huggingface"), "token");
  const text = env["HF_TOKEN"] || (await readFile(file, "utf8").catch(() => ""));
  const token = text.trim();
  // Anything else could end the header and begin another one.
  return /^[\x21-\x7e]+$/.test(token) ? token : undefined;
}

function offlineError(): ArchRouteError {
  return new ArchRouteError("E_DOWNLOAD", "offline: no connection is made", {
    hint: "leave out --offline (or ARCH_ROUTE_OFFLINE, HF_HUB_OFFLINE)",
  });
}
