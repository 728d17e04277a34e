import { execFile } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, describe, expect, it } from "vitest";
import type { Conversation } from "../../src/core/conversation.js";
import type { Engine } from "../../src/core/engine.js";
import { createLlamaEngine } from "../../src/engine/llama.js";
import { createWorkerEngine, type WorkerOptions } from "../../src/engine/worker.js";
import { embeddedModel } from "../../src/io/bundled.js";
import { children } from "../helpers/children.js";
import * as gguf from "../helpers/gguf-writer.js";
import { temporaryFolder } from "../helpers/run-cli.js";

const fake = fileURLToPath(new URL("../fixtures/worker-child.mjs", import.meta.url));
// The program as it is shipped: `npm test` builds it first.
const real = fileURLToPath(new URL("../../dist/engine/worker-main.js", import.meta.url));
const parent = new URL("../../dist/engine/worker.js", import.meta.url).href;

interface Behaviour {
  readonly load?: "hang" | "die" | "fail";
  readonly warn?: string;
  /** Said before loading, unless the options turn the GPU off. */
  readonly gpu?: string;
  readonly print?: boolean;
  /** Numbers of calls, counted in each process from 1. */
  readonly dieAt?: number;
  readonly dieAfter?: number;
  readonly hangAt?: number;
  readonly errorAt?: number;
  readonly exitCode?: number;
}

const routes = [
  { name: "a", description: "A" },
  { name: "b", description: "B" },
];
const user = (content: string): Conversation => [{ role: "user", content }];
const opened: Engine[] = [];

afterEach(async () => {
  for (const engine of opened.splice(0)) await engine.dispose();
});

/** Behaviours of the processes that will be started, one after the other; the last one is that of all others. */
function plan(...behaviours: Behaviour[]) {
  const modelPath = join(temporaryFolder(), "plan.json");
  writeFileSync(modelPath, JSON.stringify(behaviours));
  const pids = () => {
    const file = `${modelPath}.pids`;
    return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n").map(Number) : [];
  };
  const open = async (options: Partial<WorkerOptions> = {}) => {
    const engine = await createWorkerEngine({ entry: fake, modelPath, ...options });
    opened.push(engine);
    return engine;
  };
  return { modelPath, pids, open };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Waits for a process to end; false if it is there after five seconds. */
async function ends(pid: number): Promise<boolean> {
  for (let tries = 0; tries < 250; tries++) {
    if (!isAlive(pid)) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}

describe("a death", () => {
  it("at record 3 costs that record: the next one is served by a new process", async () => {
    const { open, pids } = plan({ dieAt: 3 }, {});
    const engine = await open();
    await engine.rank(routes, user("1"));
    await engine.rank(routes, user("2"));
    await expect(engine.rank(routes, user("3"))).rejects.toMatchObject({
      code: "E_MODEL_DIED",
      message: "model process died (SIGABRT)",
      hint: expect.stringContaining("--gpu off"),
    });
    const { inSet, tokens } = await engine.rank(routes, user("4"));
    expect(pids()).toHaveLength(2);
    expect(inSet).toBe(pids()[1]);
    // The new process has not seen the routes.
    expect(tokens).toEqual({ prompt: 2, cached: 1 });
  });

  it("by an exit code names it", async () => {
    const engine = await plan({ dieAt: 1, exitCode: 7 }).open();
    await expect(engine.rank(routes, user("x"))).rejects.toMatchObject({
      code: "E_MODEL_DIED",
      message: "model process died (exit code 7)",
    });
  });

  it("rejects every call that was under way and counts once", async () => {
    const { open, pids } = plan({ dieAt: 1 }, {});
    const engine = await open();
    const outcomes = await Promise.allSettled(["1", "2", "3", "4"].map((text) => engine.rank(routes, user(text))));
    expect(outcomes.map(({ status }) => status)).toEqual(Array(4).fill("rejected"));
    await engine.rank(routes, user("5"));
    expect(pids()).toHaveLength(2);
  });

  it("three times in a row makes it give up, without a fourth process", async () => {
    const { open, pids } = plan({ dieAt: 1 });
    const engine = await open();
    for (let death = 1; death <= 3; death++) {
      await expect(engine.rank(routes, user("x"))).rejects.toThrow("model process died (SIGABRT)");
    }
    for (let call = 0; call < 3; call++) {
      await expect(engine.rank(routes, user("x"))).rejects.toMatchObject({
        code: "E_MODEL_DIED",
        message: "model process died (3 times in a row)",
      });
    }
    expect(pids()).toHaveLength(3);
  });

  it("again and again is borne as long as there are answers in between", async () => {
    const { open, pids } = plan({ dieAt: 2 });
    const engine = await open();
    for (let round = 0; round < 5; round++) {
      await engine.rank(routes, user("x"));
      await expect(engine.rank(routes, user("x"))).rejects.toMatchObject({ code: "E_MODEL_DIED" });
    }
    expect(pids()).toHaveLength(5);
  });

  it("while a new process loads counts as well", async () => {
    const { open, pids } = plan({ dieAt: 1 }, { load: "die" });
    const engine = await open();
    for (let death = 1; death <= 3; death++) {
      await expect(engine.rank(routes, user("x"))).rejects.toMatchObject({ code: "E_MODEL_DIED" });
    }
    await expect(engine.rank(routes, user("x"))).rejects.toThrow("3 times in a row");
    expect(pids()).toHaveLength(3);
  });

  it("between two calls does not leave the next one waiting for ever", async () => {
    const { open, pids } = plan({ dieAfter: 1 }, {});
    const engine = await open();
    await engine.rank(routes, user("1"));
    expect(await ends(pids()[0] as number)).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await engine.rank(routes, user("2")).catch((error) => expect(error).toMatchObject({ code: "E_MODEL_DIED" }));
    expect((await engine.rank(routes, user("3"))).inSet).toBe(pids()[1]);
  }, 10_000);

  it("followed by calls that overlap starts one new process, not one a call", async () => {
    const { open, pids } = plan({ dieAt: 1 }, {});
    const engine = await open();
    await expect(engine.rank(routes, user("1"))).rejects.toMatchObject({ code: "E_MODEL_DIED" });
    const scores = await Promise.all(["2", "3", "4"].map((text) => engine.rank(routes, user(text))));
    expect(scores.map(({ tokens }) => tokens.cached)).toEqual([1, 2, 3]);
    expect(pids()).toHaveLength(2);
  });
});

describe("a death on a GPU", () => {
  const fault = (how: string) =>
    `gpu cuda: model process died (${how}): running on the CPU; --gpu off spares the attempt`;

  async function openOnGpu(...behaviours: Behaviour[]) {
    const warnings: string[] = [];
    const { open, pids } = plan(...behaviours);
    return { engine: await open({ gpu: "auto", warn: (message) => warnings.push(message) }), pids, warnings };
  }

  it("before the first answer is followed by a process without, and one warning, whatever was under way", async () => {
    const { engine, pids, warnings } = await openOnGpu({ gpu: "cuda", dieAt: 1 });
    const scores = await Promise.all(["1", "2", "3"].map((text) => engine.rank(routes, user(text))));
    expect(scores.map(({ inSet }) => inSet)).toEqual(Array(3).fill(pids()[1]));
    expect(warnings).toEqual([fault("SIGABRT")]);
  });

  it("while it loads, too", async () => {
    const { engine, pids, warnings } = await openOnGpu({ gpu: "cuda", load: "die" });
    expect((await engine.rank(routes, user("1"))).inSet).toBe(pids()[1]);
    expect(warnings).toEqual([fault("SIGSEGV")]);
  });

  it("after an answer is one like any other: the GPU works", async () => {
    const { engine, pids, warnings } = await openOnGpu({ gpu: "cuda", dieAt: 2 });
    await engine.rank(routes, user("1"));
    for (let death = 1; death <= 2; death++) {
      await expect(engine.rank(routes, user("2"))).rejects.toMatchObject({ code: "E_MODEL_DIED" });
      await engine.rank(routes, user("3"));
    }
    expect(pids()).toHaveLength(3);
    expect(warnings).toEqual([]);
  });

  it("of one that dies without as well is the end", async () => {
    const { open, pids } = plan({ gpu: "cuda", load: "die" }, { load: "die" });
    await expect(open()).rejects.toMatchObject({ code: "E_MODEL_DIED", message: "model process died (SIGSEGV)" });
    expect(pids()).toHaveLength(2);
  });

  it("by a signal from outside is not the GPU's doing", async () => {
    const { engine, pids, warnings } = await openOnGpu({ gpu: "cuda", hangAt: 1 });
    const call = engine.rank(routes, user("1"));
    setTimeout(() => process.kill(pids()[0] as number, "SIGTERM"), 50);
    await expect(call).rejects.toMatchObject({ code: "E_MODEL_DIED", message: "model process died (SIGTERM)" });
    expect(warnings).toEqual([]);
  });

  it("by the engine's own disposal is none", async () => {
    const { engine, pids, warnings } = await openOnGpu({ gpu: "cuda", hangAt: 1 });
    const call = expect(engine.rank(routes, user("1"))).rejects.toMatchObject({ code: "E_MODEL_DIED" });
    await engine.dispose();
    await call;
    expect(pids()).toHaveLength(1);
    expect(warnings).toEqual([]);
  });
});

it("disposal does not wait for a process that is still loading", async () => {
  const { open, pids } = plan({ dieAt: 1 }, { load: "hang" });
  const engine = await open();
  await expect(engine.rank(routes, user("1"))).rejects.toMatchObject({ code: "E_MODEL_DIED" });
  const call = expect(engine.rank(routes, user("2"))).rejects.toMatchObject({ code: "E_MODEL_DIED" });
  await expect.poll(() => pids()).toHaveLength(2);
  await engine.dispose();
  await call;
  expect(await ends(pids()[1] as number)).toBe(true);
});

describe("loading", () => {
  it("gives the model's name, and its warnings to whoever listens", async () => {
    const warnings: string[] = [];
    const engine = await plan({ warn: "make do" }).open({ warn: (message) => warnings.push(message) });
    expect(engine.model).toBe("fake-model");
    expect(warnings).toEqual(["make do"]);
  });

  it("that fails is E_MODEL, with the child's own message and hint, and leaves no process", async () => {
    const { open, pids, modelPath } = plan({ load: "fail" });
    await expect(open()).rejects.toMatchObject({
      code: "E_MODEL",
      message: `model ${modelPath}: bad`,
      hint: "get another",
    });
    expect(await ends(pids()[0] as number)).toBe(true);
  });

  it("that dies names the signal", async () => {
    await expect(plan({ load: "die" }).open()).rejects.toMatchObject({
      code: "E_MODEL_DIED",
      message: "model process died (SIGSEGV)",
    });
  });

  it("that takes too long is E_MODEL, and leaves no process", async () => {
    const { open, pids, modelPath } = plan({ load: "hang" });
    await expect(open({ loadTimeout: 700 })).rejects.toMatchObject({
      code: "E_MODEL",
      message: `model ${modelPath}: loading took more than 0.7 s`,
    });
    for (const pid of pids()) expect(await ends(pid)).toBe(true);
  });

  it("that nobody waits for any more is given up at once, and leaves no process", async () => {
    const { open, pids } = plan({ load: "hang" });
    const giveUp = new AbortController();
    const opening = open({ signal: giveUp.signal });
    const outcome = expect(opening).rejects.toMatchObject({ code: "E_MODEL_DIED" });
    await expect.poll(() => pids().length, { timeout: 20_000 }).toBe(1);
    giveUp.abort();
    await outcome;
    expect(await ends(pids()[0] as number)).toBe(true);
  });

  it("is given its time after a warning too", async () => {
    await expect(plan({ warn: "slow", load: "hang" }).open({ loadTimeout: 700 })).rejects.toThrow("loading took more");
  });

  it("a program that is not there is an error, not a hang", async () => {
    await expect(createWorkerEngine({ entry: "/no/such/program.mjs", modelPath: "x" })).rejects.toMatchObject({
      code: "E_MODEL_DIED",
    });
  });
});

describe("calls", () => {
  it("bring their routes only if these changed", async () => {
    const engine = await plan({}).open();
    const others = [...routes, { name: "c", description: "C" }];
    const sent: number[] = [];
    for (const set of [routes, routes, others, others, routes]) {
      sent.push((await engine.rank(set, user("x"))).tokens.prompt);
    }
    expect(sent).toEqual([2, -1, 3, -1, 2]);
  });

  it("keep -Infinity", async () => {
    const engine = await plan({}).open();
    expect((await engine.rank(routes, user("x"))).logProbabilities).toEqual([-Infinity, 0]);
  });

  it("that overlap get their own answers", async () => {
    const engine = await plan({ errorAt: 2 }).open();
    const outcomes = await Promise.allSettled(["1", "2", "3"].map((text) => engine.rank(routes, user(text))));
    expect(outcomes).toMatchObject([
      { status: "fulfilled", value: { tokens: { cached: 1 } } },
      { status: "rejected", reason: { code: "E_TOO_LARGE", message: "too much", hint: "less" } },
      { status: "fulfilled", value: { tokens: { cached: 3 } } },
    ]);
  });

  it("that the model refuses do not cost the process", async () => {
    const { open, pids } = plan({ errorAt: 1 });
    const engine = await open();
    await expect(engine.rank(routes, user("x"))).rejects.toMatchObject({ name: "ArchRouteError" });
    await engine.rank(routes, user("y"));
    expect(pids()).toHaveLength(1);
  });

  it("reject after dispose", async () => {
    const engine = await plan({}).open();
    await engine.dispose();
    await expect(engine.rank(routes, user("x"))).rejects.toThrow("disposed");
  });
});

describe("dispose", () => {
  it("goes well after the process was ended by the signal", async () => {
    const { open, pids } = plan({});
    const giveUp = new AbortController();
    const engine = await open({ signal: giveUp.signal });
    giveUp.abort();
    await engine.dispose();
    expect(await ends(pids()[0] as number)).toBe(true);
  });

  it("ends the process, however often it is called", async () => {
    const { open, pids } = plan({});
    const engine = await open();
    await engine.rank(routes, user("x"));
    expect(isAlive(pids()[0] as number)).toBe(true);
    await engine.dispose();
    expect(isAlive(pids()[0] as number)).toBe(false);
    await engine.dispose();
    await engine.dispose();
  });

  it("rejects a call that is under way, and does not wait for it", async () => {
    const { open, pids } = plan({ hangAt: 1 });
    const engine = await open();
    const call = engine.rank(routes, user("x")).catch((error) => error);
    await engine.dispose();
    expect(await call).toMatchObject({ code: "E_MODEL_DIED" });
    expect(isAlive(pids()[0] as number)).toBe(false);
  });

  it("ends a process that is only being started", async () => {
    const { open, pids } = plan({ dieAt: 1 }, {});
    const engine = await open();
    await expect(engine.rank(routes, user("1"))).rejects.toMatchObject({ code: "E_MODEL_DIED" });
    const call = engine.rank(routes, user("2")).catch((error) => error);
    await engine.dispose();
    await call;
    for (const pid of pids()) expect(await ends(pid)).toBe(true);
    expect(pids().length).toBeLessThanOrEqual(2);
  });

  it("does nothing after a death", async () => {
    const engine = await plan({ dieAt: 1 }).open();
    await expect(engine.rank(routes, user("x"))).rejects.toMatchObject({ code: "E_MODEL_DIED" });
    await engine.dispose();
  });
});

/** Runs a program as a process of its own; rejects if it has not ended by itself in time. */
async function runScript(script: string): Promise<string> {
  const path = join(temporaryFolder(), "script.mjs");
  writeFileSync(path, script);
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [path], { timeout: 20_000 });
  return stdout + stderr;
}

describe("a program that uses it", () => {
  it("sees nothing of what native code prints", async () => {
    const { modelPath } = plan({ print: true, dieAt: 1 });
    const output = await runScript(`
      const { createWorkerEngine } = await import(${JSON.stringify(parent)});
      const engine = await createWorkerEngine(${JSON.stringify({ entry: fake, modelPath })});
      await engine.rank([], []).catch((error) => console.log(error.message));
      await engine.dispose();`);
    expect(output).toBe("model process died (SIGABRT)\n");
  });

  it("ends after a model that cannot be loaded", async () => {
    const modelPath = gguf.writeFile("no model");
    const output = await runScript(`
      const { createWorkerEngine } = await import(${JSON.stringify(parent)});
      await createWorkerEngine(${JSON.stringify({ modelPath })}).catch((error) => console.log(error.code));`);
    expect(output).toBe("E_MODEL\n");
  });

  it.skipIf(process.platform !== "linux")("takes the model process with it when it is killed", async () => {
    const script = `
      import { readFileSync } from "node:fs";
      const { createWorkerEngine } = await import(${JSON.stringify(parent)});
      await createWorkerEngine(${JSON.stringify({ modelPath: embeddedModel.path, threads: 1, gpu: "off" })});
      console.log(readFileSync("/proc/self/task/" + process.pid + "/children", "utf8").trim());
      setTimeout(() => process.kill(process.pid, "SIGKILL"), 50);`;
    const result = await runScript(script).catch((error) => error);
    expect(result).toMatchObject({ signal: "SIGKILL", stdout: expect.stringMatching(/^\d+\n$/) });
    expect(await ends(Number(result.stdout))).toBe(true);
  });
});

describe("with a real model", () => {
  it("gives what the model gives in this process, to the last digit", async () => {
    const options = { modelPath: embeddedModel.path, threads: 1, gpu: "off" } as const;
    const there = await createWorkerEngine({ ...options, entry: real });
    opened.push(there);
    const here = await createLlamaEngine(options);
    opened.push(here);
    expect(there.model).toBe(here.model);
    for (const text of ["fix this bug", "", "\ud800 🙂 \0", "x".repeat(1 << 20)]) {
      expect(await there.rank(routes, user(text)), text.slice(0, 20)).toEqual(await here.rank(routes, user(text)));
    }
  });

  it.skipIf(process.platform !== "linux")("counts as cached the same after a death", async () => {
    const before = children();
    const options = {
      modelPath: embeddedModel.path,
      threads: 1,
      gpu: "off",
      routes,
      cache: temporaryFolder(),
    } as const;
    const engine = await createWorkerEngine({ ...options, entry: real });
    opened.push(engine);
    await engine.rank([...routes, { name: "c", description: "C" }], user("x"));
    const expected = await engine.rank(routes, user("fix this bug"));
    expect(expected.tokens.cached).toBeGreaterThan(0);
    for (const pid of children().filter((child) => !before.includes(child))) process.kill(pid, "SIGKILL");
    await expect(engine.rank(routes, user("x"))).rejects.toMatchObject({ code: "E_MODEL_DIED" });
    expect(await engine.rank(routes, user("fix this bug"))).toEqual(expected);
  });

  it("says what is wrong with a file", async () => {
    const modelPath = gguf.writeFile("no model");
    await expect(createWorkerEngine({ entry: real, modelPath })).rejects.toMatchObject({
      name: "ArchRouteError",
      code: "E_MODEL",
      message: expect.stringContaining(modelPath),
      hint: "download it again",
    });
  });
});
