import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { run } from "../../src/cli.js";
import type { Surroundings } from "../../src/commands/route.js";
import { createFakeEngine } from "../helpers/fake-engine.js";
import { runCli, temporaryFolder } from "../helpers/run-cli.js";
import { eventually, script, userWith } from "../helpers/scripts.js";

/** A user with a large model to decide, and a warm-up command that notes when it was started, and with what. */
function user(given: object = {}) {
  const folder = temporaryFolder();
  const log = join(folder, "log");
  const warmup = script(`echo "$(date +%s%3N) $*" >>${log}`, "warmup", folder);
  const env = userWith({
    model: join(folder, "large.gguf"),
    routes: [
      { name: "alpha", description: "A", model: "big-alpha", run: [["echo", "to alpha"]] },
      { name: "beta", description: "B", model: "big-beta", run: [["echo", "to beta"]] },
      { name: "gamma", description: "C", run: [["echo", "to gamma"]] },
    ],
    other: { model: "small", run: [["echo", "to other"]] },
    warmup: [warmup, "load", "{model}", "{route}"],
    ...given,
  });
  const started = () =>
    existsSync(log)
      ? readFileSync(log, "utf8")
          .split("\n")
          .slice(0, -1)
          .map((line) => ({ at: Number(line.split(" ")[0]), args: line.split(" ").slice(1).join(" ") }))
      : [];
  return { env, started, folder };
}

/** Runs the program with an engine that takes its time for the decision, and a quick one as `mini` for the guess. */
async function runSlowly(args: readonly string[], env: Readonly<Record<string, string>>) {
  const models: (string | undefined)[] = [];
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const io: Surroundings = {
    stdin: Object.assign(Readable.from([]), { isTTY: true }),
    ...{ stdout, stderr, env, pid: process.pid },
    cwd: temporaryFolder,
    on: () => undefined,
    off: () => undefined,
    kill: () => undefined,
    openEngine: async ({ model, server, cascade }) => {
      models.push(cascade ? "cascade" : model);
      if (model === "mini") expect(server).toBeUndefined();
      return createFakeEngine(model === "mini" ? {} : { delay: 1500 });
    },
  };
  const code = await run(["node", "arch-route", ...args], io);
  const printed = { stdout: String(stdout.read() ?? ""), stderr: String(stderr.read() ?? "") };
  return { code, ...printed, models, ended: Date.now() };
}

describe("warmup", () => {
  it.each([
    ["the route's", "alpha", "load big-alpha alpha"],
    ["another route's", "beta", "load big-beta beta"],
    ["other's", "hello", "load small other"],
  ])("starts loading %s model while the routing still runs", async (_, prompt, args) => {
    const { env, started } = user();
    const { code, ended, models } = await runSlowly(["-x", prompt], env);
    expect([code, models.length, models.includes("mini")]).toEqual([0, 2, true]);
    await eventually(() => started().length > 0, "the warm-up");
    expect(started().map((start) => start.args)).toEqual([args]);
    expect(ended - (started()[0]?.at ?? Number.NaN)).toBeGreaterThan(700);
  });

  it("guesses with the small model here while a server decides", async () => {
    const { env, started } = user({ engine: "openai", url: "http://127.0.0.1:9" });
    const { models } = await runSlowly(["-x", "alpha"], env);
    expect(models).toEqual(expect.arrayContaining([undefined, "mini"]));
    await eventually(() => started().length > 0, "the warm-up");
    expect(started().map((start) => start.args)).toEqual(["load big-alpha alpha"]);
  });

  it("guesses with the small model alone where a cascade decides", async () => {
    const { env } = user({ cascade: true });
    const { models } = await runSlowly(["-x", "alpha"], env);
    expect(models.toSorted()).toEqual(["cascade", "mini"]);
  });

  it("goes by the session, if there is one, without a guess", async () => {
    const { env, started } = user();
    await runCli(["--session", "s", "alpha"], { env });
    const { models, stdout } = await runSlowly(["-x", "--session", "s", "thanks!"], env);
    expect([models.length, models.includes("mini"), stdout]).toEqual([1, false, "to alpha\n"]);
    await eventually(() => started().length > 0, "the warm-up");
    expect(started()[0]?.args).toBe("load big-alpha alpha");
  });

  it.each<[string, string[], object]>([
    ["without -x", ["alpha"], {}],
    ["for the embedded model, which is quick", ["-x", "alpha"], { model: "mini" }],
    ["without a command for it", ["-x", "alpha"], { warmup: undefined }],
    ["for a route without a model", ["-x", "gamma"], {}],
  ])("is not started %s", async (_, args, given) => {
    const { env, started } = user(given);
    expect((await runCli(args, { env, engine: createFakeEngine({ delay: 300 }) })).code).toBe(0);
    await sleep(300);
    expect(started()).toEqual([]);
  });

  it("is not started for a batch", async () => {
    const { env, started } = user();
    const stdin = '{"prompt":"alpha"}\n{"prompt":"beta"}\n';
    expect((await runCli(["-x"], { env, stdin, engine: createFakeEngine({ delay: 300 }) })).code).toBe(0);
    expect(started()).toEqual([]);
  });

  it.each([
    ["is missing", ["/nowhere/warmup", "{model}"]],
    ["fails", ["sh", "-c", "exit 9"]],
    ["prints", ["sh", "-c", "echo x; echo x >&2"]],
  ])("that %s is nobody's business", async (_, warmup) => {
    const { env } = user({ warmup });
    const { code, stdout, stderr } = await runSlowly(["-x", "alpha"], env);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "to alpha\n", stderr: "" });
  });

  it("does not keep the answer waiting", async () => {
    const { env, folder } = user();
    const slow = script("sleep 5", "slow", folder);
    const started = Date.now();
    const { code } = await runSlowly(["-x", "alpha"], { ...userWith({ ...configOf(env), warmup: [slow, "{model}"] }) });
    expect([code, Date.now() - started < 4000]).toEqual([0, true]);
  });
});

function configOf(env: Readonly<Record<string, string>>): object {
  return JSON.parse(readFileSync(join(env["XDG_CONFIG_HOME"] ?? "", "arch-route", "config.json"), "utf8")) as object;
}
