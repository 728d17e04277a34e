import type { IncomingHttpHeaders } from "undici/types/header.js";
import { ArchRouteError } from "../core/errors.js";
import { excerpt } from "../core/printable.js";
import { readComplaint } from "./completion-answer.js";
import { retryAfter } from "./hub-faults.js";
import { TransferFault } from "./retry.js";

/** An answer that is no success. */
export interface Refusal {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
}

/** What was asked of whom. */
interface Asked {
  readonly url: URL;
  readonly hasKey: boolean;
  readonly model: string | undefined;
}

/** The text has more tokens than the server's context holds. */
export class TooLongFault extends TransferFault {}

/** Whether a server lists fewer likely tokens than it was asked for (vLLM: --max-logprobs). */
export function refusesCount({ status, body }: Refusal): boolean {
  return (status === 400 || status === 422) && /logprobs/i.test(readComplaint(body));
}

/** A refusal in words, and what helps. */
export function faultOfRefusal(refusal: Refusal, { url, hasKey, model }: Asked): TransferFault {
  const { status, headers, body } = refusal;
  const complaint = readComplaint(body);
  const answer = `${url.host} answers ${status}${complaint && `: ${excerpt(complaint, 160)}`}`;
  const lasting = (hint: string) => new TransferFault(answer, { again: false, hint });
  if (status >= 300 && status < 400) return redirected(refusal, url);
  if (status === 401)
    return lasting(hasKey ? "ARCH_ROUTE_API_KEY is not its key" : "set ARCH_ROUTE_API_KEY to its key");
  if (status === 403) return lasting("ask whoever runs the server what ARCH_ROUTE_API_KEY may do");
  if (status === 404) {
    const names = model === undefined ? "" : `, and --model ${model} one of its models`;
    return lasting(`--url must be the base of its API, such as http://host:8000/v1${names}`);
  }
  if (status === 413 || isTooLong(body, complaint)) return new TooLongFault(answer, { again: false });
  // llama-cpp-python says it with a 500.
  if (/logits_all|logprobs/i.test(complaint)) return lasting("start the server so that it gives log-probabilities");
  const passing = status >= 500 || status === 429 || status === 408;
  const hint = passing ? "try again later, or with fewer --jobs" : "look at the server's log";
  return new TransferFault(answer, { again: passing, hint, wait: retryAfter(headers) });
}

/** In the words of OpenAI and llama-cpp-python, of llama-server, of vLLM. */
function isTooLong(body: unknown, complaint: string): boolean {
  const { error } = (body ?? {}) as { error?: { code?: unknown; type?: unknown } };
  if (error?.code === "context_length_exceeded" || error?.type === "exceed_context_size_error") return true;
  return /maximum (context|model) length|exceeds? (the )?(available )?context|longer than the maximum/i.test(complaint);
}

/** The key and the prompts are for the address that the user gave. */
function redirected({ status, headers }: Refusal, url: URL): TransferFault {
  const { location } = headers;
  const to =
    typeof location === "string" && URL.canParse(location, url.href) ? new URL(location, url).origin : "nowhere";
  return new TransferFault(`${url.host} answers ${status}: it redirects to ${excerpt(to)}, which is not followed`, {
    again: false,
    hint: "give the address that it redirects to as --url",
  });
}

/** A success that is no completion. */
export function notCompletions(url: URL): ArchRouteError {
  return new ArchRouteError("E_REMOTE", `server: ${url.host} does not answer as an OpenAI-compatible API does`, {
    hint: "look at --url: it must be the base of such an API",
  });
}

/** A completion that cannot be scored. */
export function noLogprobs(url: URL): ArchRouteError {
  return new ArchRouteError("E_REMOTE", `server: ${url.host} gives no log-probabilities`, {
    hint: "use a server that does: llama-server, vLLM, or llama-cpp-python with --logits_all true",
  });
}
