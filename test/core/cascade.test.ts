import { describe, expect, it } from "vitest";
import { createCascadeEngine } from "../../src/core/cascade.js";
import type { Engine, Scores } from "../../src/core/engine.js";
import { createRouter } from "../../src/core/router.js";

const routes = [
  { name: "a", description: "d" },
  { name: "b", description: "d" },
];

interface Asked extends Engine {
  readonly asked: string[];
  disposed: boolean;
}

function engine(model: string, probabilities: readonly number[], more: Partial<Scores> = {}): Asked {
  const asked: string[] = [];
  return {
    model,
    asked,
    disposed: false,
    async rank(_, conversation) {
      asked.push(conversation.at(-1)?.content ?? "");
      const logProbabilities = probabilities.map(Math.log);
      return { logProbabilities, tokens: { prompt: 1, cached: 0 }, trimmed: false, ...more };
    },
    async dispose() {
      this.disposed = true;
    },
  };
}

describe("the cascade", () => {
  it.each([
    ["a wide margin", [0.8, 0.1, 0.1], 0.5, "small"],
    ["exactly the margin", [0.75, 0.25, 0], 0.5, "small"],
    ["a narrow one", [0.5, 0.4, 0.1], 0.5, "large"],
    ["other narrowly ahead of a route", [0.4, 0.1, 0.5], 0.5, "large"],
    ["one candidate alone", [1], 0.99, "small"],
    ["a margin of 0", [0.5, 0.5, 0], 0, "small"],
    ["a margin of 1", [0.999, 0.001, 0], 1, "large"],
  ])("with %s", async (_, probabilities, margin, decider) => {
    const [small, large] = [engine("small", probabilities), engine("large", [0.1, 0.9, 0], { inSet: 0.9 })];
    const scores = await createCascadeEngine(small, large, margin).rank(routes, [{ role: "user", content: "q" }]);
    expect(scores.model).toBe(decider);
    expect(scores.inSet).toBe(decider === "large" ? 0.9 : undefined);
    expect(large.asked).toEqual(decider === "large" ? ["q"] : []);
  });

  it("says in each routing which model decided", async () => {
    const cascade = createCascadeEngine(engine("small", [0.4, 0.35, 0.25]), engine("large", [0.1, 0.9, 0]), 0.5);
    expect(await createRouter(cascade, routes).route("q")).toMatchObject({ route: "b", model: "large" });
  });

  it("leaves it to an engine of several models to say which of them it was", async () => {
    const large = engine("large", [0.1, 0.9, 0], { model: "larger" });
    const cascade = createCascadeEngine(engine("small", [0.4, 0.35, 0.25]), large, 0.5);
    expect((await cascade.rank(routes, [])).model).toBe("larger");
  });

  it("fails as the large model fails, for that conversation only", async () => {
    const large = { ...engine("large", []), rank: () => Promise.reject(new Error("gone")) };
    const cascade = createCascadeEngine(engine("small", [0.4, 0.35, 0.25]), large, 0.5);
    await expect(cascade.rank(routes, [])).rejects.toThrow("gone");
  });

  it("disposes of both", async () => {
    const [small, large] = [engine("small", []), engine("large", [])];
    await createCascadeEngine(small, large, 0.5).dispose();
    expect([small.disposed, large.disposed]).toEqual([true, true]);
  });
});
