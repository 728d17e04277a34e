import { describe, expect, it } from "vitest";
import { routeNames, scoreRows, summariseTimes } from "../../src/commands/eval-score.js";
import type { Engine } from "../../src/core/engine.js";
import { ArchRouteError } from "../../src/core/errors.js";
import { createRouter } from "../../src/core/router.js";
import { createFakeEngine } from "../helpers/fake-engine.js";

const routes = [{ name: "a", description: "a" }];
const own = [{ name: "b", description: "b" }];
const row = (line: number, rest = {}) => ({
  source: "x",
  line,
  turns: [{ label: "a", conversation: [{ role: "user", content: "a" } as const] }],
  ...rest,
});

describe("scoreRows", () => {
  it("goes on after a record on which the model fails", async () => {
    const engine = createFakeEngine();
    let calls = 0;
    const flaky: Engine = {
      ...engine,
      async rank(...args) {
        if (calls++ === 1) throw new ArchRouteError("E_MODEL_DIED", "gone");
        return await engine.rank(...args);
      },
    };
    const { scored, failures, times } = await scoreRows([row(1), row(2), row(3)], createRouter(flaky, routes));
    expect([scored.length, times.length]).toEqual([2, 2]);
    expect(failures).toMatchObject([{ line: 2, error: { code: "E_MODEL_DIED" } }]);
  });

  it("does not hide a defect", async () => {
    const engine = { ...createFakeEngine(), rank: () => Promise.reject(new TypeError("bug")) };
    await expect(scoreRows([row(1)], createRouter(engine, routes))).rejects.toThrow("bug");
  });
});

it.each([
  ["the configured routes first", [row(1, { routes: own }), row(2)], ["a", "b"]],
  ["without those that no record used", [row(1, { routes: own })], ["b"]],
])("routeNames: %s", (_, rows, names) => {
  expect(
    routeNames(
      rows.map((one) => ({ row: one, turns: [] })),
      routes,
    ),
  ).toEqual(names);
});

it("summariseTimes gives numpy's percentiles at the ends", () => {
  const times = Array.from({ length: 101 }, (_, index) => 100 - index);
  expect(summariseTimes(times)).toEqual({ mean: 50, p50: 50, p90: 90, p99: 99 });
});
