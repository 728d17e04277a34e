import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import type { CompletionServer } from "../../src/core/completion.js";
import type { ApiOptions } from "../../src/io/api-client.js";
import { connectCompletionServer } from "../../src/io/completion-client.js";
import {
  type CompletionScript,
  type Fault,
  type Script,
  sendJson,
  startCompletions,
} from "../helpers/completion-server.js";

const patience = { stall: 1000, attempts: 3, delay: 1 };
const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
});

interface Connected {
  readonly client: CompletionServer;
  readonly server: CompletionScript;
}

async function connect(script: Script = {}, options: Partial<ApiOptions> = {}): Promise<Connected> {
  const server = await startCompletions(script);
  closers.push(server.close);
  const access = { env: {}, offline: false };
  const client = await connectCompletionServer({ url: server.url, model: undefined, access, patience, ...options });
  closers.push(client.close);
  return { client, server };
}

describe("a list of likely tokens", () => {
  it.each(["openai", "llama-server"] as const)("is read as %s writes it", async (form) => {
    const { client, server } = await connect({ form, tokens: () => ({ other: 0.5, é: 0.25, "": 0.125 }) });
    const { tokens, least, prompt, cached } = await client.next("abc", 20);
    expect([...tokens.keys()].sort()).toEqual(["", "other", "\u00c3\u00a9"]);
    expect(tokens.get("other")).toBeCloseTo(Math.log(0.5));
    expect(least).toBeCloseTo(Math.log(0.125));
    expect({ prompt, cached }).toEqual({ prompt: 3, cached: 3 });
    expect(server.seen.map(({ path, body }) => [path, body])).toEqual([
      ["/v1/completions", { model: "scripted", prompt: "abc", max_tokens: 1, temperature: 0, logprobs: 20 }],
    ]);
  });

  it("is as long as the server makes it, which it is not asked twice", async () => {
    const tokens = () => Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`w${index}`, 0.001]));
    const { client, server } = await connect({ tokens, mostTokens: 20 });
    for (const _ of [1, 2]) expect((await client.next("x", 200)).tokens.size).toBe(20);
    expect(server.seen.map(({ body }) => body.logprobs)).toEqual([200, 20, 20]);
  });

  it("may be as short as OpenAI's", async () => {
    const { client, server } = await connect({ mostTokens: 5 });
    await client.next("x", 20);
    expect(server.seen.map(({ body }) => body.logprobs)).toEqual([20, 5]);
  });
});

describe("the tokens of a text", () => {
  it("are the server's own", async () => {
    const { client } = await connect({ split: (text) => [...text] });
    expect(await client.split("abc")).toEqual(["a", "b", "c"]);
  });

  it.each([400, 401, 404, 500])("are not known where it answers %i, which is asked once", async (status) => {
    const { client, server } = await connect({ splitStatus: status });
    for (const text of ["abc", "def"]) expect(await client.split(text)).toBeUndefined();
    expect(server.splits()).toBe(2);
  });

  it("are waited for while it is busy", async () => {
    const { client } = await connect({ splitStatus: 503 });
    await expect(client.split("abc")).rejects.toMatchObject({ code: "E_REMOTE" });
  });
});

describe("the model", () => {
  it.each([
    [{ data: [{ id: "/models/Arch-Router.Q4_K_M.gguf", meta: { n_ctx: 2048 } }] }, "Arch-Router.Q4_K_M", 2048],
    [{ data: [{ id: "katanemo/Arch-Router-1.5B", max_model_len: 32768 }] }, "katanemo/Arch-Router-1.5B", 32768],
    [{ data: [] }, "127.0.0.1", undefined],
    ["what?", "127.0.0.1", undefined],
    [undefined, "127.0.0.1", undefined],
  ])("is the first one of the list %j", async (models, name, context) => {
    const { client } = await connect({ models: models as object });
    expect(client.model).toContain(name);
    expect(client.context).toBe(context);
  });

  it("is the one that was asked for, with its own context", async () => {
    const models = {
      data: [
        { id: "a", max_model_len: 1 },
        { id: "b", max_model_len: 2 },
      ],
    };
    const { client, server } = await connect({ models }, { model: "b" });
    await client.next("x", 20);
    expect([client.model, client.context, server.seen[0]?.body.model]).toEqual(["b", 2, "b"]);
  });
});

const json =
  (status: number, value: unknown, headers = {}): Fault =>
  (_, response) => {
    sendJson(response, status, value, headers);
    return true;
  };
/** The fault for the first requests, then none. */
const first =
  (times: number, fault: Fault): Fault =>
  (asked, response, count) =>
    count < times && fault(asked, response, count);
const fine = { choices: [{ logprobs: { top_logprobs: [{ other: -0.1 }] } }] };

describe("what may pass", () => {
  it.each<[string, Fault]>([
    ["429", json(429, {})],
    ["429 with Retry-After", json(429, {}, { "retry-after": "1" })],
    ["500", json(500, { error: "oops" })],
    ["503 of a model that is being loaded", json(503, { error: { message: "Loading model" } })],
    ["a cut connection", (_, response) => Boolean(response.destroy())],
    [
      "a cut body",
      (_, response) => {
        response.writeHead(200, { "content-length": 1000 });
        response.write('{"choices"', () => response.destroy());
        return true;
      },
    ],
    ["no answer in time", () => true],
    [
      "an answer in drips",
      (_, response) => {
        const timer = setInterval(() => response.write(" "), 20);
        response.once("close", () => clearInterval(timer));
        return true;
      },
    ],
  ])("is tried again: %s", async (_, fault) => {
    const { client, server } = await connect({ fault: first(2, fault) });
    expect((await client.next("x", 20)).tokens.size).toBe(1);
    expect(server.seen).toHaveLength(3);
  });

  it("is waited for as long as the server asks", async () => {
    const { client } = await connect({ fault: first(1, json(429, {}, { "retry-after": "1" })) });
    const started = Date.now();
    await client.next("x", 20);
    expect(Date.now() - started).toBeGreaterThanOrEqual(990);
  });

  it.each<[string, Fault, string]>([
    ["503", json(503, { error: { message: "busy" } }), "answers 503: busy"],
    ["429", json(429, {}), "answers 429"],
    ["no answer in time", () => true, "gave no answer in 1 s"],
  ])("and does not is an error in the end: %s", async (_, fault, message) => {
    const { client, server } = await connect({ fault });
    await expect(client.next("x", 20)).rejects.toMatchObject({
      code: "E_REMOTE",
      message: `server: ${server.url.host} ${message}`,
      hint: expect.stringMatching(/./),
    });
    expect(server.seen).toHaveLength(3);
  });

  it("does not keep the next request from its answer", async () => {
    const { client } = await connect({ fault: first(3, json(503, {})) });
    await expect(client.next("x", 20)).rejects.toMatchObject({ code: "E_REMOTE" });
    expect((await client.next("x", 20)).tokens.size).toBe(1);
  });
});

describe("what cannot get better", () => {
  const huge: Fault = (_, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    const more = () => {
      while (!response.destroyed && response.write("x".repeat(65_536)));
    };
    response.on("drain", more);
    more();
    return true;
  };

  it.each<[string, Fault, string, string]>([
    ["401", json(401, { detail: "Invalid API key" }), "answers 401: Invalid API key", "ARCH_ROUTE_API_KEY"],
    ["403", json(403, {}), "answers 403", "ARCH_ROUTE_API_KEY"],
    ["404", json(404, { error: { message: "no such model" } }), "answers 404: no such model", "--url"],
    ["400", json(400, { error: { message: "bad \u001b[31mprompt" } }), "answers 400: bad prompt", "log"],
    [
      "llama-cpp-python without log-probabilities",
      json(500, { error: { message: "logprobs is not supported for models created with logits_all=False" } }),
      "answers 500: logprobs is not supported for models created with logits_all=False",
      "log-probabilities",
    ],
    [
      "JSON that is no completion",
      json(200, { hello: 1 }),
      "does not answer as an OpenAI-compatible API does",
      "--url",
    ],
    ["no JSON", (_, response) => Boolean(response.end("<html>log in</html>")), "does not answer as", "--url"],
    ["no log-probabilities", json(200, { choices: [{ logprobs: null }] }), "gives no log-probabilities", "logits_all"],
    [
      "an empty list",
      json(200, { choices: [{ logprobs: { top_logprobs: [{}] } }] }),
      "gives no log-prob",
      "logits_all",
    ],
    ["a body without end", huge, "answers with more than 4 MB", "--url"],
  ])("is told at once: %s", async (_, fault, message, hint) => {
    const unhurried = { ...patience, stall: 10_000 };
    const { client, server } = await connect({ fault }, { patience: unhurried });
    await expect(client.next("x", 20)).rejects.toMatchObject({
      code: "E_REMOTE",
      message: expect.stringContaining(`server: ${server.url.host} ${message}`),
      hint: expect.stringContaining(hint),
    });
    expect(server.seen).toHaveLength(1);
  });

  it.each([301, 302, 307, 308])("is a redirect (%i): the prompt goes nowhere else", async (status) => {
    const other = await connect({});
    const location = new URL("completions", other.server.url).href;
    const { client, server } = await connect({ fault: json(status, {}, { location }) });
    await expect(client.next("x", 20)).rejects.toMatchObject({
      code: "E_REMOTE",
      message: `server: ${server.url.host} answers ${status}: it redirects to ${other.server.url.origin}, which is not followed`,
    });
    expect(other.server.seen).toEqual([]);
  });

  it.each([
    { error: { type: "exceed_context_size_error", message: "request (5000 tokens) exceeds" } },
    { error: { code: "context_length_exceeded", message: "too many" } },
    { error: { message: "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens" } },
    { message: "The decoder prompt (length 5000) is longer than the maximum model length of 4096." },
  ])("is a text over its context: %j", async (body) => {
    const { client } = await connect({ fault: json(400, body) });
    await expect(client.next("x", 20)).rejects.toMatchObject({ code: "E_TOO_LARGE" });
  });
});

describe("a connection", () => {
  it("that nobody takes is an error before anything is sent", async () => {
    const listener = createServer().listen(0, "127.0.0.1");
    await once(listener, "listening");
    const { port } = listener.address() as AddressInfo;
    await new Promise((resolve) => listener.close(resolve));
    const url = new URL(`http://127.0.0.1:${port}/v1/`);
    const access = { env: {}, offline: false };
    await expect(connectCompletionServer({ url, model: undefined, access, patience })).rejects.toMatchObject({
      code: "E_REMOTE",
      message: `server: 127.0.0.1:${port}: it refuses connections`,
      hint: expect.stringContaining("--url"),
    });
  });

  it("is kept for the next request", async () => {
    const { client, server } = await connect();
    for (let count = 0; count < 5; count++) await client.next("x", 20);
    // The first may not be free yet when the second is wanted.
    expect(server.connections()).toBeLessThanOrEqual(2);
  });

  it("that the server closes after every answer is made anew", async () => {
    const closing: Fault = (_, response) => {
      response.setHeader("connection", "close");
      return false;
    };
    const { client, server } = await connect({ fault: closing });
    for (let count = 0; count < 5; count++) expect((await client.next("x", 20)).tokens.size).toBe(1);
    expect(server.connections()).toBeGreaterThanOrEqual(5);
  });

  it("that the server drops without a word between two requests costs no record", async () => {
    const dropping: Fault = (_, response, count) => {
      if (count % 2 === 1) return false;
      sendJson(response, 200, fine);
      response.once("finish", () => setTimeout(() => response.socket?.destroy(), 5));
      return true;
    };
    const { client } = await connect({ fault: dropping });
    for (let count = 0; count < 10; count++) {
      expect((await client.next("x", 20)).tokens.size).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, count));
    }
  });

  it("is ended by close, whatever is under way or waits for its next try", async () => {
    const { client } = await connect(
      { fault: (_, response, count) => count > 0 || json(503, {})(_, response, count) },
      {
        patience: { stall: 60_000, attempts: 3, delay: 30_000 },
      },
    );
    const calls = [client.next("waits", 20), client.next("hangs", 20)].map((call) =>
      call.catch((error: Error) => error.message),
    );
    await new Promise((resolve) => setTimeout(resolve, 200));
    await client.close();
    expect(await Promise.all(calls)).toEqual(Array(2).fill("server: the connection was closed by this side"));
    await expect(client.next("x", 20)).rejects.toMatchObject({ code: "E_REMOTE" });
  });
});

describe("the key", () => {
  it("is sent, and is in no error", async () => {
    const env = { ARCH_ROUTE_API_KEY: " sk-secret " };
    const { client, server } = await connect({ fault: json(401, {}) }, { access: { env, offline: false } });
    const error = await client.next("x", 20).catch((cause) => cause);
    expect(server.seen[0]?.headers.authorization).toBe("Bearer sk-secret");
    expect(error.hint).toBe("ARCH_ROUTE_API_KEY is not its key");
    expect(JSON.stringify(error) + String(error.stack)).not.toContain("sk-secret");
  });

  it("is not there without one", async () => {
    const { client, server } = await connect();
    await client.next("x", 20);
    expect(server.seen[0]?.headers.authorization).toBeUndefined();
  });
});

describe("this machine", () => {
  it("is reached without a proxy, and offline", async () => {
    const env = { HTTP_PROXY: "http://127.0.0.1:9", http_proxy: "http://127.0.0.1:9" };
    const { client } = await connect({}, { access: { env, offline: true } });
    expect((await client.next("x", 20)).tokens.size).toBe(1);
  });

  it("is not left offline", async () => {
    const url = new URL("https://router.example/v1/");
    const options = { url, model: undefined, access: { env: {}, offline: true }, patience };
    await expect(connectCompletionServer(options)).rejects.toMatchObject({
      code: "E_CONFIG",
      message: "offline: no connection is made to router.example",
    });
  });
});
