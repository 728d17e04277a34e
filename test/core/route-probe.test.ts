import { describe, expect, it } from "vitest";
import type { Engine } from "../../src/core/engine.js";
import type { Route } from "../../src/core/route.js";
import { probeRoutes } from "../../src/core/route-probe.js";

const routes: Route[] = [
  { name: "billing", description: "Invoices and fees" },
  { name: "shipping", description: "Parcels and couriers" },
];

/** An engine that gives each candidate the weight which `weigh` finds for its text. */
function engine(weigh: (prompt: string, route: Route | undefined) => number, prompt = 10): Engine {
  return {
    model: "fake",
    async rank(among, conversation) {
      const text = conversation.at(-1)?.content ?? "";
      const weights = [...among.map((route) => weigh(text, route)), weigh(text, undefined)];
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const tokens = {
        prompt: prompt + among.reduce((sum, { description }) => sum + description.length, 0),
        cached: 0,
      };
      return { logProbabilities: weights.map((weight) => Math.log(weight / total)), tokens, trimmed: false };
    },
    async dispose() {},
  };
}

/** What a good set gives: a description or a name belongs to the route that has it. */
const ideal = (prompt: string, route: Route | undefined) =>
  prompt === route?.description || (prompt === "billing") === (route?.description === "Invoices and fees") ? 1000 : 1;

describe("probeRoutes", () => {
  it.each<[string, Engine, object[]]>([
    [
      "nothing wrong",
      engine((text, route) =>
        text === route?.description ? 1000 : text === "billing" || text === "shipping" ? ideal(text, route) : 1,
      ),
      [],
    ],
    [
      "a description that fits two",
      engine((text, route) => (text === "Invoices and fees" && route ? 10 : text === route?.description ? 1000 : 1)),
      [{ kind: "overlap", routes: ["billing", "shipping"] }],
    ],
    [
      "a description that finds no route",
      engine((text, route) =>
        text === "Invoices and fees" ? (route ? 1 : 10) : text === route?.description ? 1000 : 1,
      ),
      [{ kind: "vague", routes: ["billing"] }],
    ],
    [
      "a name that fits another description",
      engine((text, route) =>
        text === "billing"
          ? route?.description.startsWith("Parcels")
            ? 90
            : 1
          : text === route?.description
            ? 1000
            : 1,
      ),
      [{ kind: "name", routes: ["billing", "shipping"] }],
    ],
    [
      "too many tokens",
      engine((text, route) => (text === route?.description ? 1000 : 1), 3000),
      [{ kind: "too-long" }],
    ],
  ])("%s", async (_, model, findings) => {
    expect(await probeRoutes(model, routes, 4096)).toMatchObject(findings);
    expect(await probeRoutes(model, routes, 4096)).toHaveLength(findings.length);
  });

  it("finds a tail that the model does not read", async () => {
    const short: Engine = {
      ...engine((text, route) => (text === route?.description ? 1000 : 1)),
      rank: (among, conversation) =>
        engine((text, route) => (text.slice(0, 8) === route?.description ? 1000 : 1)).rank(
          among.map((route) => ({ ...route, description: route.description.slice(0, 8) })),
          conversation,
        ),
    };
    const findings = await probeRoutes(short, routes, 4096);
    expect(findings.filter(({ kind }) => kind === "too-long").map((finding) => finding.routes)).toEqual([
      ["billing"],
      ["shipping"],
    ]);
  });
});
