import { afterEach, describe, expect, it } from "vitest";
import { createRemoteEngine } from "../../src/engine/remote.js";
import { connectCompletionServer } from "../../src/io/completion-client.js";
import { type CompletionScript, type Script, sendJson, startCompletions } from "../helpers/completion-server.js";
import { runCli } from "../helpers/run-cli.js";

const names = ["bug_fixing", "programming", "other", "api_help"];
const wanted = (index: number) => names[(index * 7) % names.length] as string;
const jsonl = (count: number) =>
  Array.from(
    { length: count },
    (_, index) => `${JSON.stringify({ id: index, prompt: `say ${wanted(index)}` })}\n`,
  ).join("");
/** The route that the last message names is nearly certain. */
const tokens = (prompt: string) => ({ [/"say (\w+)"/.exec(prompt)?.[1] ?? "other"]: 0.97, x: 0.001 });

const servers: CompletionScript[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

/** The whole program on a scripted server. */
async function route(script: Script, args: readonly string[], stdin: string) {
  const server = await startCompletions({ tokens, ...script });
  servers.push(server);
  const patience = { stall: 10_000, attempts: 3, delay: 1 };
  const access = { env: {}, offline: false };
  const client = await connectCompletionServer({ url: server.url, model: undefined, access, patience });
  const engine = createRemoteEngine(client, { context: 4096, unicode: "raw" });
  const all = ["--engine", "openai", "--url", server.url.href, ...args];
  const result = await runCli(all, { stdin, engine });
  const lines = result.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  return { ...result, lines, server };
}

describe("a batch on a server", () => {
  it.each([1, 8])("has %i requests under way, never more, and keeps the order", async (jobs) => {
    const count = jobs === 1 ? 20 : 200;
    const { code, lines, server } = await route(
      { delay: () => Math.random() * 20 },
      ["--jobs", String(jobs)],
      jsonl(count),
    );
    expect(code).toBe(0);
    expect(lines.map(({ id, route }) => [id, route])).toEqual(
      Array.from({ length: count }, (_, index) => [index, wanted(index)]),
    );
    expect(server.mostAtOnce()).toBe(jobs);
    expect(server.connections()).toBeLessThan(count / 2);
  });

  it("loses a record that the server fails for good, and no other", async () => {
    const fault: Script["fault"] = ({ body }, response) => {
      if (!body.prompt?.includes("say api_help")) return false;
      sendJson(response, 503, { error: { message: "overloaded" } });
      return true;
    };
    const { code, lines } = await route({ fault }, ["--jobs", "4"], jsonl(8));
    expect(code).toBe(4);
    expect(lines.map(({ route, error }) => route ?? error.code)).toEqual(
      Array.from({ length: 8 }, (_, index) => (wanted(index) === "api_help" ? "E_REMOTE" : wanted(index))),
    );
    expect(lines.find(({ error }) => error).error.message).toMatch(
      /^server: 127\.0\.0\.1:\d+ answers 503: overloaded; try again later, or with fewer --jobs$/,
    );
  });

  it("gets every record through a server that stumbles", async () => {
    const fault: Script["fault"] = (_, response, index) => {
      if (index % 3 === 0) sendJson(response, 429, {});
      else if (index % 7 === 0) response.destroy();
      else return false;
      return true;
    };
    const { code, lines } = await route({ fault }, ["--jobs", "1"], jsonl(30));
    expect(code).toBe(0);
    expect(lines.map(({ route }) => route)).toEqual(Array.from({ length: 30 }, (_, index) => wanted(index)));
  });

  it("uses one request at a time without --jobs", async () => {
    const { server } = await route({ delay: () => 3 }, [], jsonl(5));
    expect(server.mostAtOnce()).toBe(1);
  });
});
