import { readFileSync } from "node:fs";
import Ajv2020 from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { bundledRouteNames, bundledRoutes } from "../src/io/bundled.js";
import { parseRouteSet } from "../src/io/config-file.js";
import { runCli } from "./helpers/run-cli.js";

const schema = JSON.parse(readFileSync("routes/schema.json", "utf8"));
const ajv = new Ajv2020.default({ allowUnionTypes: true });
const isRouteSet = ajv.compile(schema);
const isResult = ajv.compile({ $ref: `${ajv.addSchema(schema, "arch-route") && "arch-route"}#/$defs/result` });

describe("shipped route sets", () => {
  it.each(bundledRouteNames())("%s is what the schema and the program accept", (name) => {
    const text = readFileSync(bundledRoutes(name) ?? "", "utf8");
    expect(isRouteSet(JSON.parse(text)), JSON.stringify(isRouteSet.errors)).toBe(true);
    expect(parseRouteSet(name, text).routes.length).toBeGreaterThan(1);
  });

  it("are the four that the documentation names", () => {
    expect(bundledRouteNames().sort()).toEqual(["coding", "general", "ollama", "support"]);
  });
});

describe("the schema and the program agree", () => {
  const route = { name: "a", description: "b" };
  it.each([
    ["a plain set", { routes: [route] }, true],
    ["targets", { routes: [{ ...route, model: "m", run: [["x"]] }], other: { run: [["y"]] }, command: ["z"] }, true],
    ["no routes", { routes: [] }, false],
    ["an unknown key", { routes: [route], rotes: 1 }, false],
    ["an unknown key in a route", { routes: [{ ...route, descripton: "" }] }, false],
    ["the name other", { routes: [{ ...route, name: "other" }] }, false],
    ["an empty name", { routes: [{ ...route, name: " " }] }, false],
    ["an empty description", { routes: [{ ...route, description: "" }] }, false],
    ["a command as text", { routes: [{ ...route, run: ["ollama run x"] }] }, false],
    ["an empty command", { routes: [route], command: [] }, false],
    ["an empty model", { routes: [{ ...route, model: "" }] }, false],
  ])("%s", (_, set, good) => {
    expect(isRouteSet(set)).toBe(good);
    const parse = () => parseRouteSet("set.json", JSON.stringify(set));
    if (good) expect(parse).not.toThrow();
    else expect(parse).toThrow(/set\.json:1/);
  });
});

describe("the output", () => {
  it.each([
    ["a decision", ["--json", "fix bug_fixing"], undefined],
    ["an unsure one with a target", ["--json", "-r", "ollama", "--min-confidence", "0.99", "coding"], undefined],
    ["records of all kinds", [], '{"prompt":"api_help","id":7}\n{"prompt":"x","id":null}\n{bad\n{"id":1}\n'],
  ])("%s is described by the schema", async (_, args, stdin) => {
    const { stdout } = await runCli(args, stdin === undefined ? {} : { stdin });
    for (const line of stdout.trim().split("\n")) {
      expect(isResult(JSON.parse(line)), `${line} ${JSON.stringify(isResult.errors)}`).toBe(true);
    }
  });
});
