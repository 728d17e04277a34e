import { describe, expect, it } from "vitest";
import type { Conversation } from "../../src/core/conversation.js";
import type { Engine } from "../../src/core/engine.js";
import { ArchRouteError } from "../../src/core/errors.js";
import { createRouter } from "../../src/core/router.js";
import { createFakeEngine } from "../helpers/fake-engine.js";

const routes = [
  { name: "code", description: "writing code" },
  { name: "travel", description: "booking" },
];
const long: Conversation = [
  { role: "user", content: "one" },
  { role: "assistant", content: "two" },
  { role: "user", content: "three code" },
];

describe("createRouter", () => {
  it("routes a string as one user message", async () => {
    const engine = createFakeEngine();
    const routing = await createRouter(engine, routes).route("travel");
    expect(routing).toMatchObject({ route: "travel", outcome: "matched", model: "fake", trimmed: false });
    expect(routing.tokens).toEqual({ prompt: 10, cached: 0 });
    expect(routing).not.toHaveProperty("inSet");
    expect(engine.calls).toEqual([{ routes, conversation: [{ role: "user", content: "travel" }] }]);
  });

  it("hands on what the model said beside its scores", async () => {
    const engine = {
      ...createFakeEngine(),
      rank: async () => ({
        logProbabilities: [0.7, 0.2, 0.1].map(Math.log),
        inSet: 0.25,
        tokens: { prompt: 42, cached: 40 },
        trimmed: true,
      }),
    } satisfies Engine;
    const routing = await createRouter(engine, routes).route("hi");
    expect(routing).toMatchObject({ inSet: 0.25, tokens: { prompt: 42, cached: 40 }, trimmed: true, route: "code" });
    expect(routing.confidence).toBeCloseTo(0.7);
    expect(routing.margin).toBeCloseTo(0.5);
  });

  it.each([
    [undefined, 3],
    ["all", 3],
    ["last", 1],
    [1, 1],
    [2, 3],
  ] as const)("with history %s shows the model %i messages", async (history, shown) => {
    const engine = createFakeEngine();
    await createRouter(engine, routes, history === undefined ? {} : { history }).route(long);
    expect(engine.calls[0]?.conversation).toEqual(long.slice(-shown));
  });

  it.each([
    [{}, "code", "matched"],
    [{ minConfidence: 0.4 }, "code", "matched"],
    [{ minConfidence: 0.5 }, "other", "unsure"],
    [{ minMargin: 0.2 }, "other", "unsure"],
  ] as const)("applies the thresholds %j", async (thresholds, route, outcome) => {
    const routing = await createRouter(createFakeEngine(), routes, thresholds).route("code=0.4");
    expect(routing).toMatchObject({ route, outcome });
  });

  it("routes among a record's own routes and returns to its own", async () => {
    const router = createRouter(createFakeEngine(), routes);
    const own = [{ name: "cooking", description: "recipes" }];
    const routing = await router.route("cooking and code", own);
    expect(routing.route).toBe("cooking");
    expect(routing.ranking.map((entry) => entry.route)).toEqual(["cooking", "other"]);
    expect((await router.route("cooking and code")).route).toBe("code");
  });

  it("hands the engine the very list of routes each time, so that it can keep what it prepared", async () => {
    const engine = createFakeEngine();
    const router = createRouter(engine, routes);
    await router.route("a");
    await router.route("b", routes);
    expect(engine.calls.map((call) => call.routes)).toEqual([routes, routes]);
    expect(engine.calls.every((call) => call.routes === routes)).toBe(true);
  });

  it.each([
    ["no routes", []],
    ["two equal names", [...routes, ...routes]],
    ["a route named other", [{ name: "other", description: "x" }]],
  ])("refuses %s, its own or a record's, before the model is asked", async (_, bad) => {
    const engine = createFakeEngine();
    expect(() => createRouter(engine, bad)).toThrow(ArchRouteError);
    await expect(createRouter(engine, routes).route("hi", bad)).rejects.toMatchObject({ code: "E_SHAPE" });
    expect(engine.calls).toEqual([]);
  });

  it("passes on the engine's failure", async () => {
    const failure = new ArchRouteError("E_MODEL_DIED", "gone");
    const engine = { ...createFakeEngine(), rank: () => Promise.reject(failure) } satisfies Engine;
    await expect(createRouter(engine, routes).route("hi")).rejects.toBe(failure);
  });

  it("keeps the answers of overlapping calls apart", async () => {
    const router = createRouter(createFakeEngine({ delay: 5 }), routes);
    const routings = await Promise.all(["code", "travel", "neither"].map((text) => router.route(text)));
    expect(routings.map(({ route }) => route)).toEqual(["code", "travel", "other"]);
  });

  it("frees the engine", async () => {
    const engine = createFakeEngine();
    await createRouter(engine, routes).dispose();
    expect(engine.disposed()).toBe(true);
  });
});
