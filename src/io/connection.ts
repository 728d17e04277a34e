import { type Dispatcher, EnvHttpProxyAgent, Pool, request } from "undici";
import { ArchRouteError } from "../core/errors.js";
import type { Environment } from "./folders.js";
import { faultOfCause } from "./hub-faults.js";
import type { Patience } from "./retry.js";

/** Milliseconds until a machine that says nothing at all counts as gone. */
const LONGEST_CONNECT = 30_000;

/** Connections, through the proxies that curl would take from the environment; Node 20's own fetch does not know them. */
export function createDispatcher(env: Environment, { stall }: Pick<Patience, "stall">): EnvHttpProxyAgent {
  const limits = { headersTimeout: stall, bodyTimeout: stall };
  const all = env["all_proxy"] || env["ALL_PROXY"] || "";
  try {
    return new EnvHttpProxyAgent({
      httpProxy: env["http_proxy"] || env["HTTP_PROXY"] || all,
      httpsProxy: env["https_proxy"] || env["HTTPS_PROXY"] || all,
      noProxy: env["no_proxy"] || env["NO_PROXY"] || "",
      ...limits,
      connect: { timeout: Math.min(stall, LONGEST_CONNECT) },
      // A proxy that takes the connection and then says nothing: the library's own limit for that is five minutes.
      clientFactory: (origin, options) => new Pool(origin, { ...options, ...limits }),
    });
  } catch (cause) {
    throw new ArchRouteError("E_CONFIG", `the proxy cannot be used: ${(cause as Error).message}`, {
      hint: "look at HTTPS_PROXY, HTTP_PROXY and ALL_PROXY",
      cause,
    });
  }
}

/** The head of an answer, and its body on the way. */
export type HttpResponse = Pick<Dispatcher.ResponseData, "statusCode" | "headers" | "body">;

interface Sending {
  readonly method?: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly dispatcher: Dispatcher;
  readonly signal: AbortSignal | undefined;
}

/** Sends a request and follows no redirect. Throws TransferFault, or the signal's reason. */
export async function send(url: URL, { signal, ...options }: Sending): Promise<HttpResponse> {
  try {
    const asked = request(url, { ...options, ...(signal && { signal }) });
    return await (signal === undefined ? asked : Promise.race([asked, rejection(signal)]));
  } catch (cause) {
    throw faultOfCause(cause, url.host);
  }
}

/** Rejects when it is aborted: the library does not heed a signal before it is connected. */
function rejection(signal: AbortSignal): Promise<never> {
  const promise = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  // The race may be over when it happens.
  promise.catch(() => undefined);
  return promise;
}
