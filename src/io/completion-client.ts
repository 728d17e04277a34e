import { setMaxListeners } from "node:events";
import type { CompletionServer, NextTokens } from "../core/completion.js";
import { ArchRouteError } from "../core/errors.js";
import { packageVersion } from "./bundled.js";
import { readCompletion, readModels } from "./completion-answer.js";
import { faultOfRefusal, noLogprobs, notCompletions, refusesCount, TooLongFault } from "./completion-faults.js";
import { createDispatcher, type HttpResponse, send } from "./connection.js";
import { faultOfCause } from "./hub-faults.js";
import { type Patience, TransferFault, withRetries } from "./retry.js";
import { authorization, refuseOffline, type ServerAccess } from "./server-access.js";
import { isLoopback } from "./server-url.js";

export interface CompletionClientOptions {
  /** Where its API is: ends with a slash. */
  readonly url: URL;
  /** The model that it is to use; undefined: the one it lists first. */
  readonly model: string | undefined;
  readonly access: ServerAccess;
  readonly patience?: Patience;
}

/** What fits a server that may have to read a long prompt on a CPU, behind others: `stall` is the time for one answer. */
const serverPatience: Patience = { stall: 120_000, attempts: 4, delay: 500 };
/** Bytes: twenty times the longest list that is asked for. */
const LARGEST_ANSWER = 4 * 1024 * 1024;
/** How many likely tokens servers list that list only few: vLLM, and OpenAI. */
const limits = [20, 5];

interface Answer {
  readonly status: number;
  readonly headers: HttpResponse["headers"];
  /** What the body holds as JSON; undefined: it is none. */
  readonly body: unknown;
}

/**
 * Connects to a server with OpenAI's API, and asks what it runs. Throws E_REMOTE if it cannot be reached, E_CONFIG if it
 * must not.
 */
export async function connectCompletionServer(options: CompletionClientOptions): Promise<CompletionServer> {
  const { url, access, patience = serverPatience } = options;
  refuseOffline(url, access);
  const headers = {
    ...authorization(url, access.env),
    accept: "application/json",
    "accept-encoding": "identity",
    "content-type": "application/json",
    "user-agent": `arch-route/${packageVersion()}`,
  };
  const hasKey = "authorization" in headers;
  // A proxy is no way to this machine.
  const dispatcher = createDispatcher(isLoopback(url) ? {} : access.env, patience);
  const closing = new AbortController();
  // Each request that waits for its next try listens.
  setMaxListeners(0, closing.signal);
  const underWay = new Set<AbortController>();

  /** One try, within the time limit. Throws TransferFault. */
  async function ask(path: string, body: object | undefined): Promise<Answer> {
    const limit = new AbortController();
    underWay.add(limit);
    const late = () =>
      limit.abort(new TransferFault(`${url.host} gave no answer in ${patience.stall / 1000} s`, again));
    const timer = setTimeout(late, patience.stall);
    const sending =
      body === undefined ? { method: "GET" as const } : { method: "POST" as const, body: JSON.stringify(body) };
    try {
      const response = await send(new URL(path, url), { ...sending, headers, dispatcher, signal: limit.signal });
      return { status: response.statusCode, headers: response.headers, body: await readBody(response, url) };
    } catch (cause) {
      if (limit.signal.aborted) throw limit.signal.reason;
      const fault = faultOfCause(cause, url.host);
      throw fault.again ? new TransferFault(fault.message, { ...again, cause }) : fault;
    } finally {
      clearTimeout(timer);
      underWay.delete(limit);
    }
  }

  /** Tries until there is an answer that counts. `accepts`: a status that is no fault beside 200. */
  async function request(path: string, body: object | undefined, accepts: (answer: Answer) => boolean) {
    closing.signal.throwIfAborted();
    return await withRetries("server", { patience, code: "E_REMOTE", signal: closing.signal }, async () => {
      const answer = await ask(path, body);
      if (answer.status === 200 || accepts(answer)) return answer;
      throw faultOfRefusal(answer, { url, hasKey, model: options.model });
    });
  }

  async function close(): Promise<void> {
    const over = new ArchRouteError("E_REMOTE", "server: the connection was closed by this side");
    closing.abort(over);
    for (const limit of underWay) limit.abort(over);
    await dispatcher.destroy();
  }

  /** The list of models is a courtesy: a server without one is asked all the same. */
  async function look() {
    const answer = await request("models", undefined, ({ status }) => [400, 404, 405, 501].includes(status));
    return answer.status === 200 ? readModels(answer.body, options.model) : {};
  }

  let most = Infinity;
  async function next(text: string, count: number): Promise<NextTokens> {
    for (;;) {
      const logprobs = Math.min(count, most);
      const body = {
        ...(model !== undefined && { model }),
        prompt: text,
        max_tokens: 1,
        temperature: 0,
        logprobs,
      };
      const answer = await request("completions", body, (refusal) => refusesCount(refusal) && logprobs > 5);
      if (answer.status !== 200) {
        most = limits.find((limit) => limit < logprobs) ?? 1;
        continue;
      }
      const list = readCompletion(answer.body);
      if (list === "other") throw notCompletions(url);
      if (list === "no-logprobs") throw noLogprobs(url);
      return list;
    }
  }

  const found = await look().catch(async (error) => {
    await close();
    throw error;
  });
  const model = options.model ?? found.model;
  return {
    model: nameOf(model ?? url.host),
    context: found.context,
    next: (text, count) =>
      next(text, count).catch((error) => {
        throw error instanceof ArchRouteError && error.cause instanceof TooLongFault ? tooLarge(error) : error;
      }),
    close,
  };
}

/** Servers that load a file go by its path. */
function nameOf(model: string): string {
  return model.replace(/^.*[/\\](?=[^/\\]+\.gguf$)|\.gguf$/gi, "");
}

const again = { again: true, hint: "look at --url, and whether the server runs" };

function tooLarge(cause: ArchRouteError): ArchRouteError {
  return new ArchRouteError("E_TOO_LARGE", cause.message, { cause });
}

/** A body as JSON, undefined if it is none. Throws TransferFault if it is larger than any answer to us. */
async function readBody({ body }: HttpResponse, url: URL): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > LARGEST_ANSWER) {
      throw new TransferFault(`${url.host} answers with more than ${LARGEST_ANSWER / 1024 / 1024} MB`, {
        again: false,
        hint: "look at --url: it must be that of an OpenAI-compatible API",
      });
    }
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    return undefined;
  }
}
