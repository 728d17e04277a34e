import { setMaxListeners } from "node:events";
import { ArchRouteError } from "../core/errors.js";
import { packageVersion } from "./bundled.js";
import { faultOfRefusal, type Refusal } from "./completion-faults.js";
import { createDispatcher, type HttpResponse, send } from "./connection.js";
import { faultOfCause } from "./hub-faults.js";
import { type Patience, TransferFault, withRetries } from "./retry.js";
import { authorization, refuseOffline, type ServerAccess } from "./server-access.js";
import { isLoopback } from "./server-url.js";

export interface ApiOptions {
  /** The base of the API: ends with a slash. */
  readonly url: URL;
  /** The model that it is to use; undefined: the one it lists first. */
  readonly model: string | undefined;
  readonly access: ServerAccess;
  /** `stall` is the time for one answer. Default: what fits a server that reads a long prompt on a CPU, behind others. */
  readonly patience?: Patience;
}

/** JSON over HTTP, with patience. */
export interface ApiClient {
  /**
   * Posts a body, or gets a path without one, until there is an answer of 200, or another one that `accepts` takes.
   * Throws E_REMOTE, and its own reason once it is closed.
   */
  request(path: string, body: object | undefined, accepts: (answer: ApiAnswer) => boolean): Promise<ApiAnswer>;
  /** Ends what is under way. */
  close(): Promise<void>;
}

/** An answer; its body is undefined if that is no JSON. */
type ApiAnswer = Refusal;

const serverPatience: Patience = { stall: 120_000, attempts: 4, delay: 500 };
/** Bytes: twenty times the longest list that is asked for. */
const LARGEST_ANSWER = 4 * 1024 * 1024;
const again = { again: true, hint: "look at --url, and whether the server runs" };

/** Opens nothing yet. Throws E_CONFIG if no connection may be made to the address. */
export function createApiClient({ url, model, access, patience = serverPatience }: ApiOptions): ApiClient {
  refuseOffline(url, access);
  const key = authorization(url, access.env);
  const headers = {
    ...key,
    accept: "application/json",
    "accept-encoding": "identity",
    "content-type": "application/json",
    "user-agent": `arch-route/${packageVersion()}`,
  };
  // A proxy is no way to this machine.
  const dispatcher = createDispatcher(isLoopback(url) ? {} : access.env, patience);
  const closing = new AbortController();
  // Each request that waits for its next try listens.
  setMaxListeners(0, closing.signal);

  /** One try, within the time limit. Throws TransferFault. */
  async function ask(path: string, body: object | undefined): Promise<ApiAnswer> {
    const limit = new AbortController();
    const late = new TransferFault(`${url.host} gave no answer in ${patience.stall / 1000} s`, again);
    const timer = setTimeout(() => limit.abort(late), patience.stall);
    const sending =
      body === undefined ? { method: "GET" as const } : { method: "POST" as const, body: JSON.stringify(body) };
    try {
      const response = await send(new URL(path, url), { ...sending, headers, dispatcher, signal: limit.signal });
      return { status: response.statusCode, headers: response.headers, body: await readBody(response, url) };
    } catch (cause) {
      if (limit.signal.aborted) throw late;
      const fault = faultOfCause(cause, url.host);
      throw fault.again ? new TransferFault(fault.message, { ...again, cause }) : fault;
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    async request(path, body, accepts) {
      closing.signal.throwIfAborted();
      return await withRetries("server", { patience, code: "E_REMOTE", signal: closing.signal }, async () => {
        const answer = await ask(path, body);
        if (answer.status === 200 || accepts(answer)) return answer;
        throw faultOfRefusal(answer, { url, hasKey: Object.keys(key).length > 0, model });
      });
    },
    async close() {
      closing.abort(new ArchRouteError("E_REMOTE", "server: the connection was closed by this side"));
      await dispatcher.destroy();
    },
  };
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
