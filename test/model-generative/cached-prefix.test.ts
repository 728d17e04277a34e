import { execFile, execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import type { Conversation } from "../../src/core/conversation.js";
import type { Scores } from "../../src/core/engine.js";
import type { Route } from "../../src/core/route.js";
import { createLlamaEngine, type LlamaEngineOptions } from "../../src/engine/llama.js";
import { temporaryFolder } from "../helpers/run-cli.js";
import { userWith } from "../helpers/scripts.js";

const program = fileURLToPath(new URL("../../bin/arch-route.js", import.meta.url));
const coding: readonly Route[] = JSON.parse(
  readFileSync(new URL("../../routes/coding.json", import.meta.url), "utf8"),
).routes;
/** Names that part only deep in their tokens: scoring them takes evaluations beyond the prompt's. */
const alike: readonly Route[] = [
  { name: "bug", description: "Reports of bugs" },
  { name: "bug_fixing", description: "Fixing bugs in code" },
  { name: "bug_fixing_later", description: "Planning fixes" },
];
const user = (content: string): Conversation => [{ role: "user", content }];
const asked = user("plan the fix of this bug for next week");

let modelPath: string;

beforeAll(() => {
  const fetch = fileURLToPath(new URL("fetch.mjs", import.meta.url));
  modelPath =
    process.env["ARCH_ROUTE_TEST_MODEL"] ?? execFileSync(process.execPath, [fetch], { encoding: "utf8" }).trim();
});

type Record = readonly [readonly Route[], Conversation];

/** What an engine of its own says of records, in order. */
async function rankAll(records: readonly Record[], options: Partial<LlamaEngineOptions> = {}): Promise<Scores[]> {
  const engine = await createLlamaEngine({ modelPath, gpu: "off", threads: 1, context: 1024, ...options });
  const scores: Scores[] = [];
  for (const [routes, conversation] of records) scores.push(await engine.rank(routes, conversation));
  await engine.dispose();
  return scores;
}

const rankOne = async (options: Partial<LlamaEngineOptions>, routes = alike) =>
  (await rankAll([[routes, asked]], options))[0] as Scores;
const numbers = ({ logProbabilities, inSet }: Scores) => ({ logProbabilities, inSet });
const filesOf = (cache: string) => readdirSync(join(cache, "prefixes"));

describe("a prefix from the disk", () => {
  it("gives the numbers of one that was evaluated, to the last bit", async () => {
    for (const routes of [alike, coding]) {
      const cache = temporaryFolder();
      const without = await rankOne({}, routes);
      const first = await rankOne({ cache }, routes);
      const second = await rankOne({ cache }, routes);
      expect([without, first, second].map(({ tokens }) => tokens.cached > 0)).toEqual([false, false, true]);
      expect(numbers(first)).toEqual(numbers(without));
      expect(numbers(second)).toEqual(numbers(without));
      expect(filesOf(cache)).toHaveLength(1);
    }
  });

  it("gives them with other threads and another context too", async () => {
    const cache = temporaryFolder();
    const first = await rankOne({ cache });
    const second = await rankOne({ cache, threads: 2, context: 2048 });
    expect(second.tokens.cached).toBeGreaterThan(0);
    expect(numbers(second)).toEqual(numbers(first));
  });

  it("is not taken from another model of the same shape", async () => {
    const cache = temporaryFolder();
    await rankOne({ cache });
    const copy = join(temporaryFolder(), "finetune.gguf");
    copyFileSync(modelPath, copy);
    expect((await rankOne({ cache, modelPath: copy })).tokens.cached).toBe(0);
    expect(filesOf(cache)).toHaveLength(2);
  });

  // The third would keep llama.cpp busy for ever if it got to see it.
  it.each<[string, (bytes: Buffer) => Buffer]>([
    ["flipped in its middle", (bytes) => flip(bytes, bytes.length >> 1)],
    ["with another token", (bytes) => flip(bytes, 16)],
    ["with garbage at the end of its content", (bytes) => bytes.fill(0xff, bytes.length - 84, bytes.length - 80)],
    ["cut in half", (bytes) => bytes.subarray(0, bytes.length >> 1)],
    ["empty", () => Buffer.alloc(0)],
  ])("%s is evaluated again, and kept anew", async (_, damage) => {
    const cache = temporaryFolder();
    const first = await rankOne({ cache });
    const path = join(cache, "prefixes", filesOf(cache)[0] ?? "");
    const good = readFileSync(path);
    writeFileSync(path, damage(Buffer.from(good)));
    const again = await rankOne({ cache });
    expect(again.tokens.cached).toBe(0);
    expect(numbers(again)).toEqual(numbers(first));
    expect(readFileSync(path).equals(good)).toBe(true);
  });
});

function flip(bytes: Buffer, at: number): Buffer {
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  return bytes;
}

describe("what is said of a record", () => {
  it.each([
    [50, "with a folder", temporaryFolder()],
    [8, "without one", undefined],
  ])("does not tell the %i records before it, %s", { timeout: 900_000 }, async (count, _, cache) => {
    const options = { routes: alike, ...(cache !== undefined && { cache }) };
    const before: Record[] = Array.from({ length: count }, (_value, index) => [
      index % 7 === 3 ? coding.slice(0, 1 + (index % 3)) : alike,
      user(`request ${index}: ${"word ".repeat((index * 37) % 60)}`),
    ]);
    const own: Record = [coding, asked];
    const records: Record[] = [...before, [alike, asked], own, [alike, asked]];
    const inARow = (await rankAll(records, options)).slice(-3);
    const first = await rankOne(options);
    const ownFirst = (await rankAll([own], options))[0];
    expect(inARow).toEqual([first, ownFirst, first]);
    expect([first.tokens.cached > 0, ownFirst?.tokens.cached]).toEqual([true, 0]);
    if (cache !== undefined) expect(filesOf(cache)).toHaveLength(1);
  });
});

it("four cold starts at once on one empty cache are all right, and leave one file", { timeout: 900_000 }, async () => {
  const cache = temporaryFolder();
  mkdirSync(join(cache, "arch-route"), { mode: 0o700 });
  const env = { ...process.env, ...userWith({ model: modelPath }), XDG_CACHE_HOME: cache };
  const args = [program, "--json", "--quiet", "--threads", "1", "fix this bug"];
  const route = async () => {
    const running = promisify(execFile)(process.execPath, args, { env });
    running.child.stdin?.end();
    return JSON.parse((await running).stdout);
  };
  const answers = await Promise.all(Array.from({ length: 4 }, route));
  answers.push(await route());
  expect(new Set(answers.map((answer) => JSON.stringify({ ...answer, tokens: answer.tokens.prompt }))).size).toBe(1);
  expect(answers.at(-1).tokens.cached).toBeGreaterThan(100);
  expect(filesOf(join(cache, "arch-route"))).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
});
