import type { IncomingHttpHeaders } from "undici/types/header.js";
import { excerpt } from "../core/printable.js";
import { TransferFault } from "./retry.js";

/** An HTTP status that is no success, in words, and what helps. */
export function faultOfStatus(
  status: number,
  headers: IncomingHttpHeaders,
  { host, token }: { readonly host: string; readonly token: boolean },
): TransferFault {
  const answer = `${host} answers ${status}`;
  if (status === 401) {
    const hint = token
      ? "your token (HF_TOKEN) is not valid: make one at huggingface.co/settings/tokens"
      : "set HF_TOKEN to a token from huggingface.co/settings/tokens";
    return new TransferFault(`${answer}: it wants to know who asks`, { again: false, hint });
  }
  if (status === 403) {
    const hint = "accept the model's licence on its page, with the account that HF_TOKEN belongs to";
    return new TransferFault(`${answer}: not for you`, { again: false, hint });
  }
  if (status === 404) {
    return new TransferFault(`${answer}: there is no such model or file`, {
      again: false,
      hint: "look for it on the hub",
    });
  }
  if (status === 407) {
    return new TransferFault(`${answer}: the proxy wants a login`, { again: false, hint: "put it into HTTPS_PROXY" });
  }
  if (status === 429) {
    const hint = "wait some minutes; with HF_TOKEN set more is allowed";
    return new TransferFault(`${answer}: too many requests`, { again: true, hint, wait: retryAfter(headers) });
  }
  const again = status >= 500 || status === 408;
  return new TransferFault(answer, { again, hint: "try again later", wait: retryAfter(headers) });
}

/** Milliseconds of a Retry-After header in seconds, or until the date in it. */
export function retryAfter(headers: IncomingHttpHeaders): number | undefined {
  const text = String(headers["retry-after"] ?? "");
  const wait = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return wait > 0 ? wait : undefined;
}

const reasons = new Map([
  ["ENOTFOUND", "its name is not known"],
  ["EAI_AGAIN", "names cannot be looked up"],
  ["ECONNREFUSED", "it refuses connections"],
  ["ECONNRESET", "the connection was cut"],
  ["UND_ERR_SOCKET", "the connection was cut"],
  ["UND_ERR_CONNECT_TIMEOUT", "no connection in time"],
  ["UND_ERR_HEADERS_TIMEOUT", "no answer in time"],
  ["UND_ERR_BODY_TIMEOUT", "the transfer stalled"],
  ["UND_ERR_RES_CONTENT_LENGTH_MISMATCH", "the body is shorter than announced"],
]);

/** What went wrong below HTTP, in words, and what helps. */
export function faultOfCause(cause: unknown, host: string): TransferFault {
  if (cause instanceof TransferFault) return cause;
  const { code = "", message } = innermost(cause);
  if (/^(CERT_|DEPTH_|SELF_SIGNED|UNABLE_TO|ERR_TLS|HOSTNAME_MISMATCH)/.test(code)) {
    const hint = "behind a proxy that opens TLS, set NODE_EXTRA_CA_CERTS to its certificate";
    return new TransferFault(`${host}: its certificate is not trusted (${code})`, { again: false, hint, cause });
  }
  const hint = "look at the network; behind a proxy, set HTTPS_PROXY";
  return new TransferFault(`${host}: ${reasons.get(code) ?? excerpt(message)}`, { again: true, hint, cause });
}

function innermost(error: unknown): { readonly code?: string; readonly message: string } {
  const { cause, code, message, errors } = error as Error & { code?: string; errors?: unknown[] };
  // Node tries all addresses of a host and gathers what came of it.
  if (Array.isArray(errors) && errors.length > 0) return innermost(errors[0]);
  if (cause instanceof Error && code === undefined) return innermost(cause);
  return { ...(code !== undefined && { code }), message: String(message ?? error) };
}
