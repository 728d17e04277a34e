import { execFileSync, spawn } from "node:child_process";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Agent, request } from "undici";
import { answerText, buildPrompt, chatText } from "../../dist/core/prompt.js";
import { names, routes } from "./plain.mjs";

/** Milliseconds until the model must be loaded. */
const LOAD_LIMIT = 120_000;

/** First line of what it says of its version; undefined: there is no such program. */
export function serverVersion(command) {
  try {
    const text = execFileSync("sh", ["-c", '"$0" --version 2>&1', command], { encoding: "utf8" });
    return /version:.*/.exec(text)?.[0] ?? text.split("\n")[0];
  } catch {
    return undefined;
  }
}

/**
 * llama-server with one slot. `route(conversation)` resolves to a name: the whole prompt, of which the server finds the known start
 * by itself, then an answer that its grammar allows.
 */
export async function startServer(command, modelPath, threads) {
  const port = await freePort();
  const args = ["-m", modelPath, "--port", port, "-t", threads, "-tb", threads, "-np", 1, "-c", 4096, "-ngl", 0];
  const child = spawn(command, args.map(String), { stdio: "ignore" });
  const gone = new Promise((_, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`${command} ended with ${code}`)));
  });
  const agent = new Agent({ connections: 1, headersTimeout: 0, bodyTimeout: 0 });
  const origin = `http://127.0.0.1:${port}`;
  const grammar = `root ::= ${names.map((name) => JSON.stringify(answerText(name))).join(" | ")}`;

  async function isReady() {
    const { statusCode, body } = await request(`${origin}/health`, { dispatcher: agent });
    await body.dump();
    return statusCode === 200;
  }

  async function route(conversation) {
    const prompt = chatText(buildPrompt(routes, conversation));
    const { statusCode, body } = await request(`${origin}/completion`, {
      method: "POST",
      dispatcher: agent,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ prompt, n_predict: 32, temperature: 0, cache_prompt: true, grammar }),
    });
    const answer = await body.json();
    if (statusCode !== 200) throw new Error(`llama-server: ${JSON.stringify(answer)}`);
    return JSON.parse(answer.content).route;
  }

  const waitUntilReady = async () => {
    for (const end = Date.now() + LOAD_LIMIT; Date.now() < end; await sleep(200)) {
      if (await isReady().catch(() => false)) return;
    }
    throw new Error(`${command} was not ready in time`);
  };
  await Promise.race([waitUntilReady(), gone]);
  gone.catch(() => undefined);
  return {
    pid: child.pid,
    route,
    async stop() {
      await agent.close();
      child.kill();
    },
  };
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
