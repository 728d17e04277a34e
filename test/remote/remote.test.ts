import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine, Scores } from "../../src/core/engine.js";
import { createLlamaEngine } from "../../src/engine/llama.js";
import { createRemoteEngine } from "../../src/engine/remote.js";
import { connectCompletionServer } from "../../src/io/completion-client.js";
import { readServerUrl } from "../../src/io/server-url.js";
import { breakOuts, cases, routeSets } from "./conversations.js";
import { type RunningServer, type ServerKind, serverKinds, startServer } from "./servers.js";

const CONTEXT = 2048;
const user = (content: string) => [{ role: "user", content }] as const;
const shares = ({ logProbabilities }: Scores) => logProbabilities.map(Math.exp);

let modelPath: string;
let local: Engine;
const scored = new Map<number, Scores>();

beforeAll(async () => {
  const fetch = fileURLToPath(new URL("../model-generative/fetch.mjs", import.meta.url));
  modelPath =
    process.env["ARCH_ROUTE_TEST_MODEL"] ?? execFileSync(process.execPath, [fetch], { encoding: "utf8" }).trim();
  local = await createLlamaEngine({ modelPath, gpu: "off", threads: 1, context: CONTEXT });
});

afterAll(() => local?.dispose());

const missing = serverKinds.filter(({ isInstalled }) => !isInstalled);
for (const { name, program } of missing)
  process.stderr.write(`skipped: ${name} is not installed (${program}); test/remote/install.sh builds it\n`);

describe.each(serverKinds.filter(({ isInstalled }) => isInstalled))("$name", (kind: ServerKind) => {
  let server: RunningServer;
  let engine: Engine;

  beforeAll(async () => {
    server = await startServer(kind, modelPath);
    engine = await connect(server.url);
  });
  afterAll(async () => {
    await engine?.dispose();
    await server?.stop();
  });

  it("answers as the local engine does on the same file", async () => {
    const differences: number[] = [];
    let [same, close] = [0, 0];
    for (const [index, one] of cases.entries()) {
      const [here, there] = await Promise.all([localScores(index), engine.rank(one.routes, one.conversation)]);
      expect(there.tokens.prompt, `${index}: tokens`).toBe(here.tokens.prompt);
      expect(there.trimmed).toBe(false);
      const [a, b] = [shares(here), shares(there)];
      expect(sum(b)).toBeCloseTo(1, 9);
      differences.push(...a.map((share, candidate) => Math.abs(share - (b[candidate] as number))));
      const [first, second] = [...a].sort((x, y) => y - x) as [number, number];
      if (first - second <= 0.02) close++;
      else if (best(a) === best(b)) same++;
      else expect.soft(best(b), `${index}: ${a} v ${b}`).toBe(best(a));
      if (index % 20 === 19) say(kind, index + 1, { same, close, differences });
    }
    expect(Math.max(...differences)).toBeLessThan(0.05);
  });

  it.each(breakOuts)("reads no mark of its own in %j", async (text) => {
    const routes = [{ name: "bug", description: `Bugs ${text}` }];
    const [here, there] = [await local.rank(routes, user(text)), await engine.rank(routes, user(text))];
    expect(there.tokens.prompt).toBe(here.tokens.prompt);
  });

  it("keeps requests apart that are under way together", async () => {
    const some = cases.slice(0, 16);
    const results = await Promise.all(some.map(({ routes, conversation }) => engine.rank(routes, conversation)));
    for (const [index, result] of results.entries()) {
      const { tokens, logProbabilities } = await localScores(index);
      expect(result.tokens.prompt).toBe(tokens.prompt);
      logProbabilities.forEach((value, candidate) => {
        expect(Math.abs(Math.exp(value) - Math.exp(result.logProbabilities[candidate] as number))).toBeLessThan(0.05);
      });
    }
  });

  it.each([
    ["a message of 1 MB", user("all work and no play ".repeat(50_000))],
    ["a message of many tokens a character", user("日本語の長い文章です。".repeat(2000))],
    ["5,001 turns", Array.from({ length: 5001 }, (_, index) => user(`turn ${index}: and so on`)[0])],
  ])("takes what it can of %s", async (_, conversation) => {
    const scores = await engine.rank(routeSets[2] ?? [], conversation);
    expect(scores.trimmed).toBe(true);
    expect(scores.tokens.prompt).toBeLessThan(CONTEXT);
    expect(scores.tokens.prompt).toBeGreaterThan(CONTEXT / 2);
  });

  it("refuses routes that do not fit, and lives on", async () => {
    const big = [{ name: "big", description: "many words ".repeat(2000) }];
    await expect(engine.rank(big, user("hi"))).rejects.toMatchObject({ code: "E_TOO_LARGE" });
    expect((await engine.rank(routeSets[0] ?? [], user("hi"))).logProbabilities).toHaveLength(6);
  });

  it("names the model as the local engine does", () => {
    expect(engine.model).toBe(local.model);
  });
});

async function connect(address: string): Promise<Engine> {
  const url = readServerUrl(address);
  if (url === undefined) throw new Error(address);
  const server = await connectCompletionServer({ url, model: undefined, access: { env: {}, offline: true } });
  return createRemoteEngine(server, { context: server.context ?? 4096, unicode: "raw" });
}

/** What the local engine says of a case. */
async function localScores(index: number): Promise<Scores> {
  const { routes, conversation } = cases[index] as (typeof cases)[number];
  const scores = scored.get(index) ?? (await local.rank(routes, conversation));
  scored.set(index, scores);
  return scores;
}

function say(
  { name }: ServerKind,
  count: number,
  { same, close, differences }: { same: number; close: number; differences: readonly number[] },
): void {
  const sorted = [...differences].sort((x, y) => x - y);
  const [median, most] = [sorted[sorted.length >> 1] as number, sorted.at(-1) as number];
  process.stderr.write(
    `${name}: ${count} conversations, ${same} of ${count - close} routes alike, ${close} too close to tell; difference of probabilities: median ${median.toExponential(1)}, most ${most.toExponential(1)}\n`,
  );
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function best(values: readonly number[]): number {
  return values.indexOf(Math.max(...values));
}
