import type { CompletionServer, NextTokens } from "../core/completion.js";
import { ArchRouteError } from "../core/errors.js";
import { type ApiClient, type ApiOptions, createApiClient } from "./api-client.js";
import { readCompletion, readModels, readSplit } from "./completion-answer.js";
import { noLogprobs, notCompletions, refusesCount, TooLongFault } from "./completion-faults.js";

/** How many likely tokens servers list that do not list as many as they are asked for: vLLM, OpenAI. */
const [VLLM, OPENAI] = [20, 5];

/**
 * Connects to a server with OpenAI's API, and asks what it runs. Throws E_REMOTE if it cannot be reached, E_CONFIG if it
 * must not.
 */
export async function connectCompletionServer(options: ApiOptions): Promise<CompletionServer> {
  const { url } = options;
  const api = createApiClient(options);
  const found = await lookAtModels(api, options.model).catch(async (error) => {
    await api.close();
    throw error;
  });
  const model = options.model ?? found.model;
  let most = Infinity;

  async function next(text: string, count: number): Promise<NextTokens> {
    const logprobs = Math.min(count, most);
    const body = { ...(model !== undefined && { model }), prompt: text, max_tokens: 1, temperature: 0, logprobs };
    const answer = await api.request("completions", body, (refusal) => refusesCount(refusal) && logprobs > OPENAI);
    if (answer.status !== 200) {
      most = logprobs > VLLM ? VLLM : OPENAI;
      return await next(text, count);
    }
    const list = readCompletion(answer.body);
    if (list === "other") throw notCompletions(url);
    if (list === "no-logprobs") throw noLogprobs(url);
    return list;
  }

  return {
    split: createSplit(api, model),
    model: nameOf(model ?? url.host),
    context: found.context,
    next: (text, count) => next(text, count).catch(rethrow),
    close: () => api.close(),
  };
}

/** Asks for the tokens of texts; no more, once the server has none to tell. */
function createSplit(api: ApiClient, model: string | undefined): CompletionServer["split"] {
  let tells = true;
  return async (text) => {
    if (!tells) return undefined;
    const echo = { prompt: text, echo: true, max_tokens: 1, temperature: 0, logprobs: 1 };
    const ways = [
      // llama-server's own, beside the API.
      ["../tokenize", { content: text, add_special: false, with_pieces: true }],
      ["completions", { ...(model !== undefined && { model }), ...echo }],
    ] as const;
    for (const [path, body] of ways) {
      // Whatever a server says to what it does not know, unless it is only busy.
      const answer = await api.request(path, body, ({ status }) => status !== 429 && status !== 503);
      const tokens = readSplit(answer.body, text);
      if (tokens) return tokens;
    }
    tells = false;
    return undefined;
  };
}

/** The list of models is a courtesy: a server without one is asked for completions all the same. */
async function lookAtModels(api: ApiClient, wanted: string | undefined): Promise<ReturnType<typeof readModels>> {
  const answer = await api.request("models", undefined, ({ status }) => [400, 404, 405, 501].includes(status));
  return answer.status === 200 ? readModels(answer.body, wanted) : {};
}

/** Servers that load a file call their model by its path. */
function nameOf(model: string): string {
  return model.replace(/^.*[/\\](?=[^/\\]+\.gguf$)|\.gguf$/gi, "");
}

/** A text over the server's context has a code of its own. */
function rethrow(error: unknown): never {
  if (!(error instanceof ArchRouteError && error.cause instanceof TooLongFault)) throw error;
  throw new ArchRouteError("E_TOO_LARGE", error.message, { cause: error });
}
