import { describe, expect, it } from "vitest";
import { type RecordContext, readInput, routeRecord } from "../../src/commands/route-record.js";
import { ArchRouteError } from "../../src/core/errors.js";
import { createRouter } from "../../src/core/router.js";
import { type Config, resolveConfig } from "../../src/io/config.js";
import type { RawRecord } from "../../src/io/input.js";
import { createFakeEngine } from "../helpers/fake-engine.js";
import { temporaryFolder } from "../helpers/run-cli.js";
import { userWith } from "../helpers/scripts.js";

const routes = [
  { name: "alpha", description: "A", model: "m" },
  { name: "beta", description: "B", run: [["cat"]] },
];

async function context(given: Partial<RecordContext> = {}, settings: object = {}): Promise<RecordContext> {
  const env = userWith({ routes, command: ["echo", "{model}"], other: { model: "small" }, ...settings });
  const config: Config = await resolveConfig({}, { env, cwd: temporaryFolder });
  return {
    router: createRouter(createFakeEngine(), config.routes.routes, config),
    config,
    warn: () => undefined,
    ...given,
  };
}

const raw = (text: string, format: RawRecord["format"] = "jsonl"): RawRecord =>
  ({ source: "-", line: 7, format, text }) as RawRecord;

describe("routeRecord", () => {
  it.each([
    ["the common command with its model", "alpha", { model: "m", run: [["echo", "m"]] }],
    ["its own command", "beta", { run: [["cat"]] }],
    ["what is set for other", "hello", { model: "small", run: [["echo", "small"]] }],
  ])("finds what stands behind a route: %s", async (_, prompt, target) => {
    const result = await routeRecord(raw(JSON.stringify({ prompt })), await context());
    expect(result).toMatchObject({ target, record: { conversation: [{ role: "user", content: prompt }] } });
    expect(result).not.toHaveProperty("session");
  });

  it("has no target for a route that only the record knows", async () => {
    const text = JSON.stringify({ prompt: "gamma", routes: [{ name: "gamma", description: "C" }] });
    expect(await routeRecord(raw(text), await context())).toMatchObject({
      routing: { route: "gamma" },
      target: undefined,
    });
  });

  it.each<[string, string, string | undefined, string]>([
    ["no JSON", "oops", undefined, "E_JSON"],
    ["no prompt", '{"id":5}', undefined, "E_SHAPE"],
    [
      "routes that are none",
      '{"id":5,"prompt":"x","routes":[{"name":"other","description":"x"}]}',
      undefined,
      "E_SHAPE",
    ],
  ])("keeps what is wrong with a record its own affair: %s", async (_, text, id, code) => {
    expect(await routeRecord(raw(text), await context())).toMatchObject({ line: 7, id, error: { code } });
  });

  it("hands on what went wrong while it was read", async () => {
    const error = new ArchRouteError("E_UTF8", "not valid UTF-8");
    const bad: RawRecord = { source: "-", line: 9, format: "jsonl", error };
    expect(await routeRecord(bad, await context())).toEqual({ id: undefined, line: 9, error });
  });

  it("keeps the id of a record whose routing failed", async () => {
    const engine = createFakeEngine({
      onRank() {
        throw new ArchRouteError("E_MODEL_DIED", "model process died (SIGABRT)");
      },
    });
    const given = await context({ router: createRouter(engine, routes) });
    expect(await routeRecord(raw('{"id":12345678901234567890,"prompt":"x"}'), given)).toMatchObject({
      ...{ id: "12345678901234567890", line: 7 },
      error: { code: "E_MODEL_DIED" },
    });
  });

  it("lets a defect through", async () => {
    const engine = createFakeEngine({
      onRank() {
        throw new TypeError("a defect");
      },
    });
    await expect(
      routeRecord(raw('{"prompt":"x"}'), await context({ router: createRouter(engine, routes) })),
    ).rejects.toThrow(TypeError);
  });

  it("keeps a session on its route, and takes the target from there", async () => {
    const given = await context({ session: "s" });
    expect(await routeRecord(raw('{"prompt":"beta"}'), given)).toMatchObject({ session: "new" });
    expect(await routeRecord(raw('{"prompt":"thanks!"}'), given)).toMatchObject({
      ...{ session: "kept", routing: { route: "beta", outcome: "matched" } },
      target: { run: [["cat"]] },
    });
  });
});

describe("readInput", () => {
  it.each([
    ["text", "text", '{"prompt":"x"}', '{"prompt":"x"}'],
    ["a line", "lines", "x y", "x y"],
    ["JSON", "json", '{"prompt":"x"}', "x"],
    ["a line of JSON", "jsonl", '"x"', "x"],
  ] as const)("takes a record by its format: %s", async (_, format, text, content) => {
    const record = await readInput({ source: "-", line: 1, format, text });
    expect(record.conversation).toEqual([{ role: "user", content }]);
  });

  it.each(["12345678901234567890", "1e400", "1.50", '"é"', "-0"])("keeps the id %s as it was written", async (id) => {
    const record = await readInput({ source: "-", line: 1, format: "json", text: `{"prompt":"x","id":${id}}` });
    expect(record.id).toBe(id);
  });
});
