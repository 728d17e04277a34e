import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { runCli, temporaryFolder } from "../helpers/run-cli.js";
import { addFiles, folderWith } from "../io/temporary-files.js";

const project =
  "routes:\n  - {name: code, description: Anything with code, run: [[cat]]}\n  - {name: 日本, description: 日本語}\n";

describe("routes list", () => {
  it.each([[["routes"]], [["routes", "list"]]])("prints names and descriptions in columns: %j", async (args) => {
    const { code, stdout } = await runCli(args, { cwd: folderWith({ ".arch-route.yaml": project }) });
    expect(code).toBe(0);
    expect(stdout).toBe("code  Anything with code\n日本  日本語\n");
  });

  it.each([[["routes", "--json"]], [["routes", "list", "--json"]], [["--json", "routes"]]])(
    "prints the set as JSON: %j",
    async (args) => {
      const { code, stdout } = await runCli(args, { cwd: folderWith({ ".arch-route.yaml": project }) });
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toEqual({
        routes: [
          { name: "code", description: "Anything with code" },
          { name: "日本", description: "日本語" },
        ],
      });
    },
  );

  it("prints a set that a flag names, wherever the flag stands", async () => {
    const cwd = folderWith({ "set.json": '[{"name": "a", "description": "A"}]' });
    expect((await runCli(["routes", "-r", "set.json"], { cwd })).stdout).toBe("a  A\n");
    expect((await runCli(["-r", "set.json", "routes", "list"], { cwd })).stdout).toBe("a  A\n");
  });
});

describe("routes check", () => {
  it("says what is wrong", async () => {
    const cwd = folderWith({ ".arch-route.yaml": "routes: []" });
    const { code, stdout, stderr } = await runCli(["routes", "check"], { cwd });
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toBe(`arch-route: ${cwd}/.arch-route.yaml:1: routes: there are no routes\n`);
  });
});

describe("routes init", () => {
  it("writes a file that works", async () => {
    const cwd = temporaryFolder();
    const { code, stdout } = await runCli(["routes", "init"], { cwd });
    expect([code, stdout]).toEqual([0, `${join(cwd, ".arch-route.yaml")}\n`]);
    expect((await runCli(["routes", "list"], { cwd })).stdout.trimEnd().split("\n")).toHaveLength(3);
    expect((await runCli(["tell me a joke, casual"], { cwd })).stdout).toBe("casual\n");
  });

  it("never writes over a file", async () => {
    const cwd = folderWith({ ".arch-route.yaml": "mine" });
    const { code, stdout, stderr } = await runCli(["routes", "init"], { cwd });
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toBe(`arch-route: ${cwd}/.arch-route.yaml: is there already; edit it, or remove it first\n`);
    expect(readFileSync(join(cwd, ".arch-route.yaml"), "utf8")).toBe("mine");
  });

  it("says that it could not write", async () => {
    const cwd = join(temporaryFolder(), "nowhere");
    const { code, stderr } = await runCli(["routes", "init"], { cwd });
    expect(code).toBe(6);
    expect(stderr).toContain("choose another folder");
    expect(existsSync(cwd)).toBe(false);
  });
});

describe("routes import", () => {
  const inline = `
llm_providers:
  - model: ollama/llama3.2
    routing_preferences:
      - {name: casual, description: "small talk: and more"}
`;
  const topLevel = `
routing_preferences:
  - name: code generation
    description: generating new code
    models: [ollama/qwen2.5-coder:7b, openai/gpt-4o]
`;

  it.each([
    ["the old form", inline, { name: "casual", description: "small talk: and more", model: "llama3.2" }],
    [
      "the new form",
      topLevel,
      { name: "code generation", description: "generating new code", model: "qwen2.5-coder:7b" },
    ],
  ])("prints %s as a route set that can be used", async (_, text, route) => {
    const cwd = folderWith({ "plano.yaml": text });
    const { code, stdout, stderr } = await runCli(["routes", "import", "plano.yaml"], { cwd });
    expect([code, stderr]).toEqual([0, ""]);
    expect(parse(stdout)).toEqual({ routes: [route] });
    addFiles(cwd, { "set.yaml": stdout });
    expect((await runCli(["-r", "set.yaml", `the ${route.name} one`], { cwd })).stdout).toBe(`${route.name}\n`);
  });

  it.each([
    ["a file that is not there", "nowhere.yaml", "no such file"],
    ["a file without preferences", "empty.yaml", "there are no routing_preferences in it"],
  ])("refuses %s", async (_, file, why) => {
    const cwd = folderWith({ "empty.yaml": "version: 1" });
    const { code, stdout, stderr } = await runCli(["routes", "import", file], { cwd });
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(why);
  });
});
