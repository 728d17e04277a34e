import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine } from "../../src/core/engine.js";
import type { Finding } from "../../src/core/route-check.js";
import { createLlamaEngine } from "../../src/engine/llama.js";
import { bundledRouteNames, embeddedModel } from "../../src/io/bundled.js";
import { runCli } from "../helpers/run-cli.js";

const folder = new URL("../fixtures/bad-routes/", import.meta.url);

interface Planted {
  readonly kind: string;
  readonly routes: readonly string[];
  readonly path: string;
}

/** The first line of each file says which fault was planted: `# kind: vague, routes: a b. Why.` */
const planted = readdirSync(folder).map((name): [string, Planted] => {
  const path = new URL(name, folder).pathname;
  const [, kind = "", routes = ""] = /^# kind: ([\w-]+), routes: ([\w ]+)\./.exec(readFileSync(path, "utf8")) ?? [];
  return [name, { kind, routes: routes === "several" ? [] : routes.split(" "), path }];
});

let engine: Engine;
beforeAll(async () => {
  engine = await createLlamaEngine({ modelPath: embeddedModel.path, threads: 1, gpu: "off" });
});
afterAll(() => engine?.dispose());

async function check(...args: string[]): Promise<{ code: number; findings: readonly Finding[] }> {
  const shared: Engine = { ...engine, dispose: async () => undefined };
  const { code, stdout } = await runCli(["routes", "check", "--json", ...args], { engine: shared });
  return { code, findings: JSON.parse(stdout).findings };
}

describe("routes check with mini", () => {
  it("has ten bad files to look at", () => {
    expect(planted.map(([, { kind }]) => kind).sort()).toMatchInlineSnapshot(`
      [
        "name",
        "name",
        "negation",
        "no-general-route",
        "overlap",
        "overlap",
        "too-long",
        "too-long",
        "vague",
        "verbs",
      ]
    `);
  });

  it.each(planted)("finds what was planted in %s", async (_, { kind, routes, path }) => {
    const { code, findings } = await check("-r", path);
    const found = findings.filter((finding) => finding.kind === kind);
    expect(code).toBe(1);
    expect(found, JSON.stringify(findings)).not.toEqual([]);
    expect(new Set(found.flatMap((finding) => finding.routes))).toEqual(
      routes.length > 0 ? new Set(routes) : expect.anything(),
    );
    for (const { fix } of findings) expect(fix).not.toBe("");
  });

  it.each(bundledRouteNames())("finds nothing in the shipped set %s", async (name) => {
    expect(await check("-r", name)).toEqual({ code: 0, findings: [] });
    expect(await check("-r", name, "--static")).toEqual({ code: 0, findings: [] });
  });
});
