import { describe, expect, it } from "vitest";
import { type EngineUse, openEngine, warnIfForeign } from "../../src/commands/open-engine.js";
import { resolveConfig } from "../../src/io/config.js";
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
