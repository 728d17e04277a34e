import { EventEmitter } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openCascade } from "../../src/commands/open-cascade.js";
import type { EngineUse } from "../../src/commands/open-engine.js";
import type { Conversation } from "../../src/core/conversation.js";
import type { Engine } from "../../src/core/engine.js";
import { ArchRouteError } from "../../src/core/errors.js";
import { type Config, type Flags, resolveConfig } from "../../src/io/config.js";
import { createFakeEngine } from "../helpers/fake-engine.js";
import { routerFile } from "../helpers/router-file.js";
import { runCli, temporaryFolder } from "../helpers/run-cli.js";

const large = join(temporaryFolder(), "large.gguf");
writeFileSync(large, routerFile());

const use: EngineUse = { isolated: true, warn: () => undefined };
const routes = [
  { name: "alpha", description: "A" },
  { name: "beta", description: "B" },
];
const user = (content: string): Conversation => [{ role: "user", content }];

async function configure(flags: Flags): Promise<Config> {
  const home = temporaryFolder();
  const env = { HOME: home, XDG_CONFIG_HOME: home, XDG_CACHE_HOME: home, XDG_STATE_HOME: home };
  return await resolveConfig({ cascade: "true", ...flags }, { env, cwd: () => home });
}

/** Fakes named after the model that is opened, and a note of each opening. */
function fakes(more: (config: Config, use: EngineUse) => Engine | Promise<Engine> = () => createFakeEngine()) {
  const opened: { readonly model: string | undefined; readonly cascade: boolean; readonly isolated: boolean }[] = [];
  const disposed: string[] = [];
  const open = async (config: Config, given: EngineUse): Promise<Engine> => {
    const { model = "best", cascade } = config;
    opened.push({ model, cascade, isolated: given.isolated });
    const engine = model === "mini" ? createFakeEngine() : await more(config, given);
    return { ...engine, model: model === "mini" ? "small" : "large", dispose: async () => void disposed.push(model) };
  };
  return { opened, disposed, open };
}

describe("openCascade", () => {
  it("opens the larger model when the first conversation needs it, once, and frees both", async () => {
    const { opened, disposed, open } = fakes();
    const engine = await openCascade(await configure({ model: large }), use, open);
    expect((await engine.rank(routes, user("alpha"))).model).toBe("small");
    expect(opened).toEqual([{ model: "mini", cascade: false, isolated: true }]);
    const [one, other] = await Promise.all(["alpha=0.4", "beta=0.4"].map((text) => engine.rank(routes, user(text))));
    expect([one?.model, other?.model]).toEqual(["large", "large"]);
    expect(opened.slice(1)).toEqual([{ model: large, cascade: false, isolated: true }]);
    await engine.dispose();
    expect(disposed.sort()).toEqual([large, "mini"].sort());
    await expect(engine.rank(routes, user("alpha=0.4"))).rejects.toThrow();
  });

  it("never opens a larger model that no conversation needs", async () => {
    const { opened, disposed, open } = fakes();
    const engine = await openCascade(await configure({ model: large }), use, open);
    await engine.rank(routes, user("alpha"));
    await engine.dispose();
    expect([opened.length, disposed]).toEqual([1, ["mini"]]);
  });

  it.each([
    ["0.3", "small"],
    ["0.6", "large"],
  ])("takes the margin that is set: at %s", async (margin, decider) => {
    const engine = await openCascade(await configure({ model: large, cascade_margin: margin }), use, fakes().open);
    // 0.65, 0.175, 0.175: a margin of 0.475.
    expect((await engine.rank(routes, user("alpha=0.65"))).model).toBe(decider);
  });

  it.each<[string, Flags, object]>([
    [
      "no larger model is on this machine",
      {},
      {
        code: "E_CONFIG",
        message: "cascade: there is no larger model on this machine",
        hint: "get one with: arch-route models pull arch-router:q4_k_m",
      },
    ],
    [
      "the model is the small one itself",
      { model: "mini" },
      {
        code: "E_CONFIG",
        message: "cascade: model mini is the small one itself",
        hint: "name a larger one with --model, or use --no-cascade",
      },
    ],
    ["the model is not here", { model: "arch-router:q8_0" }, { code: "E_MODEL" }],
    ["the file is not there", { model: "/nowhere/large.gguf" }, { code: "E_MODEL" }],
    ["the file is no model", { model: import.meta.filename }, { code: "E_MODEL" }],
  ])("says at the start that %s", async (_, flags, error) => {
    const { opened, open } = fakes();
    await expect(openCascade(await configure(flags), use, open)).rejects.toMatchObject(error);
    expect(opened).toEqual([]);
  });
});

describe("a batch", () => {
  const lines = (prompts: readonly string[]) =>
    prompts.map((prompt, id) => `${JSON.stringify({ id, prompt })}\n`).join("");
  const run = (prompts: readonly string[], { open }: ReturnType<typeof fakes>, signals = new EventEmitter()) =>
    runCli(["--cascade", "-m", large], {
      stdin: lines(prompts),
      signals,
      engine: async (config, given) => await openCascade(config, given, open),
    });
  const records = (stdout: string) =>
    stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { id: number; model?: string; error?: { code: string; message: string } });

  it("keeps the order, and says of each record who decided it", async () => {
    const prompts = Array.from({ length: 60 }, (_, index) => (index % 3 ? "bug_fixing" : "bug_fixing=0.3"));
    const { code, stdout } = await run(
      prompts,
      fakes(() => createFakeEngine({ delay: 5 })),
    );
    expect(code).toBe(0);
    expect(records(stdout).map(({ id, model }) => [id, model])).toEqual(
      prompts.map((_, index) => [index, index % 3 ? "small" : "large"]),
    );
  });

  it("of which the larger model fails has the error in the places that needed it, after one attempt to open it", async () => {
    const broken = fakes(() => Promise.reject(new ArchRouteError("E_MODEL", "model large: cannot be loaded")));
    const { code, stdout } = await run(["bug_fixing", "bug_fixing=0.3", "api_help", "api_help=0.3"], broken);
    expect(code).toBe(4);
    expect(records(stdout).map(({ id, model, error }) => [id, model ?? error?.code])).toEqual([
      [0, "small"],
      [1, "E_MODEL"],
      [2, "small"],
      [3, "E_MODEL"],
    ]);
    expect(broken.opened).toHaveLength(2);
  });

  it("that is interrupted does not wait for the larger model to load", async () => {
    const signals = new EventEmitter();
    const slow = fakes((_, { signal }) => {
      setTimeout(() => signals.emit("SIGINT"), 20);
      return new Promise((_resolve, reject) => {
        signal?.addEventListener("abort", () => reject(new ArchRouteError("E_MODEL_DIED", "model process died")));
      });
    });
    const started = Date.now();
    const { code, stdout } = await run(["bug_fixing", "bug_fixing=0.3"], slow, signals);
    expect([code, records(stdout).length]).toEqual([130, 1]);
    expect(Date.now() - started).toBeLessThan(5000);
  });
});

describe("the switch", () => {
  const cascadeOf = async (args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    const seen: Config[] = [];
    const { code, stdout } = await runCli(args, { env, onOpen: (config) => seen.push(config) });
    return [code, stdout, seen[0]?.cascade, seen[0]?.cascadeMargin];
  };

  it.each<[string[], Record<string, string>, boolean, number]>([
    [[], {}, false, 0.5],
    [["--cascade"], {}, true, 0.5],
    [["--cascade-margin", "0.25"], {}, true, 0.25],
    [["--no-cascade", "--cascade-margin", "0.25"], {}, false, 0.25],
    [[], { ARCH_ROUTE_CASCADE: "1", ARCH_ROUTE_CASCADE_MARGIN: "0.75" }, true, 0.75],
    [["--no-cascade"], { ARCH_ROUTE_CASCADE: "on" }, false, 0.5],
    [["--cascade"], { ARCH_ROUTE_CASCADE: "off", ARCH_ROUTE_CASCADE_MARGIN: "0.75" }, true, 0.75],
  ])("%j with %j takes no prompt for a margin", async (args, env, cascade, margin) => {
    expect(await cascadeOf([...args, "bug_fixing"], env)).toEqual([0, "bug_fixing\n", cascade, margin]);
  });

  it("is refused with a word that is neither yes nor no, and a margin that is no share", async () => {
    expect(await runCli(["x"], { env: { ARCH_ROUTE_CASCADE: "maybe" } })).toMatchObject({
      code: 2,
      stderr: "arch-route: ARCH_ROUTE_CASCADE maybe: must be true or false\n",
    });
    expect(await runCli(["--cascade-margin", "7", "x"])).toMatchObject({
      code: 2,
      stderr: "arch-route: --cascade-margin 7: must be a number from 0 to 1\n",
    });
  });
});
