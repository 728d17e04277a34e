import { afterEach, describe, expect, it } from "vitest";
import { type EngineUse, openEngine, warnIfForeign } from "../../src/commands/open-engine.js";
import { type Flags, resolveConfig } from "../../src/io/config.js";
import { type Script, startCompletions } from "../helpers/completion-server.js";
import { createFakeEngine } from "../helpers/fake-engine.js";
import { temporaryFolder } from "../helpers/run-cli.js";

async function open(model: string, isolated: boolean) {
  const home = temporaryFolder();
  const env = { HOME: home, XDG_CONFIG_HOME: home, XDG_CACHE_HOME: home, XDG_STATE_HOME: home };
  const use: EngineUse = { isolated, warn: () => undefined };
  return await openEngine(await resolveConfig({ model }, { env, cwd: () => home }), use);
}

describe("openEngine", () => {
  it.each([
    ["in this process", false],
    ["in a process of its own", true],
  ])("gives the command that gets a model which is not there, %s", async (_, isolated) => {
    await expect(open("arch-router:q8_0", isolated)).rejects.toMatchObject({
      code: "E_MODEL",
      message: "model arch-router:q8_0: not on this machine",
      hint: "get it with: arch-route models pull arch-router:q8_0",
    });
  });

  it("knows no quantisation that is none", async () => {
    await expect(open("arch-router:q9", false)).rejects.toMatchObject({ code: "E_CONFIG" });
  });
});

describe("the engine of a server", () => {
  const closers: (() => Promise<void>)[] = [];
  afterEach(async () => {
    await Promise.all(closers.splice(0).map((close) => close()));
  });

  async function remote(script: Script, flags: Flags = {}, env: Readonly<Record<string, string>> = {}) {
    const server = await startCompletions(script);
    const home = temporaryFolder();
    const xdg = { HOME: home, XDG_CONFIG_HOME: home, XDG_CACHE_HOME: home, XDG_STATE_HOME: home };
    const all = { engine: "openai", url: server.url.href, ...flags };
    const config = await resolveConfig(all, { env: { ...xdg, ...env }, cwd: () => home });
    const engine = await openEngine(config, { isolated: true, warn: () => undefined });
    closers.push(engine.dispose, server.close);
    return { engine, server, config };
  }

  it("routes by what the server lists", async () => {
    const { engine, server } = await remote(
      { tokens: () => ({ a: 0.75, other: 0.25 }) },
      { model: "m" },
      { ARCH_ROUTE_API_KEY: "k" },
    );
    const routes = [{ name: "a", description: "A" }];
    const scores = await engine.rank(routes, [{ role: "user", content: "hi" }]);
    expect(scores.logProbabilities.map(Math.exp)).toEqual([expect.closeTo(0.75), expect.closeTo(0.25)]);
    expect(server.seen).toMatchObject([{ body: { model: "m" }, headers: { authorization: "Bearer k" } }]);
  });

  it.each<[string, Flags, number | undefined, number]>([
    ["what the server says", {}, 2048, 2048],
    ["what was asked for, if that is less", { context: "1024" }, 2048, 1024],
    ["what the server says, if that is less than was asked for", { context: "4096" }, 2048, 2048],
    ["more than the default, if the server says so", {}, 8192, 8192],
    ["the default, where nobody says anything", {}, undefined, 4096],
  ])("takes for the context %s", async (_, flags, said, context) => {
    const models = { data: [{ id: "m", ...(said && { max_model_len: said }) }] };
    const { engine, server } = await remote({ models, tokens: () => ({ a: 0.75, other: 0.25 }) }, flags);
    await engine.rank([{ name: "a", description: "A" }], [{ role: "user", content: "x".repeat(100_000) }]);
    const { length } = server.seen[0]?.body.prompt ?? "";
    expect(length).toBeGreaterThan(context * 5 - 10);
    expect(length).toBeLessThanOrEqual(context * 5);
  });

  it("is none offline, but on this machine", async () => {
    await expect(remote({}, { offline: true })).resolves.toBeDefined();
    await expect(remote({}, { offline: true, url: "https://router.example/v1" })).rejects.toMatchObject({
      code: "E_CONFIG",
    });
  });
});

describe("warnIfForeign", () => {
  /** Warnings after two records, of which the model gave so much of its probability to the routes. */
  async function warnings(inSet: number | undefined): Promise<string[]> {
    const said: string[] = [];
    const fake = createFakeEngine();
    const rank: typeof fake.rank = async (...args) => ({
      ...(await fake.rank(...args)),
      ...(inSet !== undefined && { inSet }),
    });
    const engine = warnIfForeign({ ...fake, rank }, (message) => said.push(message));
    for (const content of ["one", "two"])
      await engine.rank([{ name: "a", description: "A" }], [{ role: "user", content }]);
    return said;
  }

  it("says once that a model wants to answer something else", async () => {
    expect(await warnings(0.12)).toEqual([expect.stringContaining("model fake: only 12 % of what it would answer")]);
  });

  it.each([undefined, 0.5, 0.99])("has nothing to say of a share of %s", async (inSet) => {
    expect(await warnings(inSet)).toEqual([]);
  });
});
