import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A request for a completion that came in. */
export interface Asked {
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: {
    readonly prompt?: string;
    readonly echo?: boolean;
    readonly logprobs?: number;
    readonly model?: string;
  };
}

/** Takes a request instead of the server; not true: lets it answer. `count`: how many completions were asked for before. */
export type Fault = (asked: Asked, response: ServerResponse, count: number) => boolean | undefined;

export interface Script {
  /** Likely next tokens after a prompt, with probabilities; default: `other` is nearly certain. */
  readonly tokens?: (prompt: string) => Readonly<Record<string, number>>;
  /** How many tokens it lists at most; more are refused as vLLM does. */
  readonly mostTokens?: number;
  /** Tokens of its context, a character each; more are refused. */
  readonly mostCharacters?: number;
  /** The tokens of a text, as llama-server tells them; default: it does not. */
  readonly split?: (text: string) => string[];
  /** What it answers where it does not. Default: 404. */
  readonly splitStatus?: number;
  /** Milliseconds before it answers. */
  readonly delay?: () => number;
  /** What it says of its models; undefined: it has no such list. */
  readonly models?: object | undefined;
  /** As llama-server writes them, or as OpenAI does. */
  readonly form?: "llama-server" | "openai";
  readonly fault?: Fault;
}

export interface CompletionScript {
  /** Address, with a slash at its end. */
  readonly url: URL;
  /** Completions that were asked for. */
  readonly seen: readonly Asked[];
  /** The most requests that were under way at once. */
  readonly mostAtOnce: () => number;
  readonly connections: () => number;
  /** Questions after the tokens of a text, of either kind. */
  readonly splits: () => number;
  close(): Promise<void>;
}

/** A server on this machine that plays one with OpenAI's API, and every fault that is asked for. */
export async function startCompletions(script: Script = {}): Promise<CompletionScript> {
  const seen: Asked[] = [];
  let [underWay, mostAtOnce, connections, splits] = [0, 0, 0, 0];
  const server = createServer(async (request, response) => {
    const { url: path = "", headers } = request;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    if (path.endsWith("/models")) return sendModels(script, response);
    if (path === "/tokenize") {
      splits++;
      return sendTokens(script, chunks, response);
    }
    const asked: Asked = { path, headers, body: JSON.parse(Buffer.concat(chunks).toString() || "{}") };
    if (asked.body.echo) {
      splits++;
      return sendJson(response, script.splitStatus ?? 400, { error: "Only no echo is supported" });
    }
    const count = seen.push(asked) - 1;
    mostAtOnce = Math.max(mostAtOnce, ++underWay);
    response.once("close", () => underWay--);
    if (script.fault?.(asked, response, count)) return;
    await new Promise((resolve) => setTimeout(resolve, script.delay?.() ?? 0));
    complete(script, asked, response);
  });
  server.on("connection", () => connections++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/`),
    seen,
    mostAtOnce: () => mostAtOnce,
    connections: () => connections,
    splits: () => splits,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function sendTokens({ split, splitStatus }: Script, chunks: readonly Buffer[], response: ServerResponse): void {
  const { content } = JSON.parse(Buffer.concat(chunks).toString());
  if (split === undefined) sendJson(response, splitStatus ?? 404, {});
  else sendJson(response, 200, { tokens: split(content).map((piece, id) => ({ id, piece })) });
}

function sendModels(script: Script, response: ServerResponse): void {
  const { models = { object: "list", data: [{ id: "scripted" }] } } = script;
  if ("models" in script && script.models === undefined) response.writeHead(404).end();
  else sendJson(response, 200, models);
}

function complete({ tokens, mostTokens, mostCharacters, form }: Script, { body }: Asked, response: ServerResponse) {
  const { prompt = "", logprobs = 0 } = body;
  if (logprobs > (mostTokens ?? Infinity)) {
    const message = `Requested sample logprobs of ${logprobs}, which is greater than max allowed: ${mostTokens}`;
    return sendJson(response, 400, { error: { message, type: "BadRequestError", code: 400 } });
  }
  if (prompt.length > (mostCharacters ?? Infinity)) {
    const message = `request (${prompt.length} tokens) exceeds the available context size (${mostCharacters} tokens), try increasing it`;
    return sendJson(response, 400, { error: { code: 400, message, type: "exceed_context_size_error" } });
  }
  const listed = Object.entries(tokens?.(prompt) ?? { other: 0.99 })
    .map(([token, probability]) => ({ token, logprob: Math.log(probability) }))
    .sort((a, b) => b.logprob - a.logprob)
    .slice(0, logprobs);
  const withBytes = listed.map((one) => ({ ...one, bytes: [...Buffer.from(one.token)] }));
  const byText = { top_logprobs: [Object.fromEntries(listed.map(({ token, logprob }) => [token, logprob]))] };
  const logs = form === "llama-server" ? { content: [{ top_logprobs: withBytes }] } : byText;
  const usage = { prompt_tokens: prompt.length, prompt_tokens_details: { cached_tokens: 3 } };
  sendJson(response, 200, { choices: [{ text: "x", index: 0, logprobs: logs, finish_reason: "length" }], usage });
}

export function sendJson(response: ServerResponse, status: number, value: unknown, headers = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(value));
}
