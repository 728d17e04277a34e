import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Flags, powersOf, resolveConfig } from "../../src/io/config.js";
import { findProjectFile } from "../../src/io/config-search.js";
import { findFolders } from "../../src/io/folders.js";
import { trust } from "../../src/io/trust.js";
import { temporaryFolder } from "../helpers/run-cli.js";
import { addFiles, folderWith } from "./temporary-files.js";

interface Given {
  readonly user?: string;
  readonly project?: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly flags?: Flags;
  readonly trusted?: boolean;
}

async function resolve({ user, project, files = {}, env = {}, flags = {}, trusted = false }: Given) {
  const cwd = folderWith({ ...files, ...(project !== undefined && { ".arch-route.yaml": project }) });
  const home = folderWith(user === undefined ? {} : { "arch-route/config.yaml": user });
  const xdg = { XDG_CONFIG_HOME: home, XDG_CACHE_HOME: home, XDG_STATE_HOME: home };
  if (trusted) await trust(findFolders(xdg), (await findProjectFile(cwd))?.fingerprint ?? "");
  const config = await resolveConfig(flags, { env: { ...xdg, ...env }, cwd: () => cwd });
  return { config, cwd, home, names: config.routes.routes.map((route) => route.name) };
}

const set = (name: string, more = "") => `routes:\n  - {name: ${name}, description: A}\n${more}`;
const powerful = `model: arch-router
command: [rm, "{model}"]
other: {run: [[rm]]}
min_confidence: 0.25
routes:
  - {name: a, description: A, run: [[rm, -rf]], model: m}
  - {name: b, description: B}
`;

describe("resolveConfig", () => {
  it("has defaults", async () => {
    const { config, names } = await resolve({});
    expect(config).toMatchObject({
      model: undefined,
      minConfidence: 0,
      minMargin: 0,
      history: "all",
      unicode: "raw",
      gpu: "auto",
      threads: undefined,
      context: 4096,
      warnings: [],
    });
    expect(names).toContain("bug_fixing");
    expect(new Set(config.origins.values())).toEqual(new Set(["default"]));
  });

  it("lets each layer go before the one below", async () => {
    const user = "min_margin: 0.1\n";
    const project = "min_margin: 0.2\n";
    const env = { ARCH_ROUTE_MIN_MARGIN: "0.3" };
    const flags = { min_margin: "0.4" };
    const margin = async (given: Given) => {
      const { config, cwd, home } = await resolve(given);
      const origin = config.origins.get("min_margin")?.replace(cwd, "project").replace(home, "user");
      return [config.minMargin, origin];
    };
    expect(await margin({})).toEqual([0, "default"]);
    expect(await margin({ user })).toEqual([0.1, "user/arch-route/config.yaml"]);
    expect(await margin({ user, project })).toEqual([0.2, "project/.arch-route.yaml"]);
    expect(await margin({ user, project, env })).toEqual([0.3, "ARCH_ROUTE_MIN_MARGIN"]);
    expect(await margin({ user, project, env, flags })).toEqual([0.4, "--min-margin"]);
    expect(await margin({ user, project: "gpu: off" })).toEqual([0.1, "user/arch-route/config.yaml"]);
  });

  it.each([
    ["model", "x.gguf", { model: expect.stringContaining("x.gguf") }],
    ["min_confidence", "0.5", { minConfidence: 0.5 }],
    ["min_margin", "0.5", { minMargin: 0.5 }],
    ["history", "2", { history: 2 }],
    ["history", "last", { history: "last" }],
    ["unicode", "escape", { unicode: "escape" }],
    ["gpu", "off", { gpu: "off" }],
    ["threads", "3", { threads: 3 }],
    ["context", "1024", { context: 1024 }],
    ["cascade", "true", { cascade: true }],
    ["cascade_margin", "0.25", { cascadeMargin: 0.25 }],
  ] as const)("reads %s from a variable and from a flag", async (key, text, expected) => {
    const name = `ARCH_ROUTE_${key.toUpperCase()}`;
    const [one, other] = [await resolve({ env: { [name]: text } }), await resolve({ flags: { [key]: text } })];
    expect(one.config).toMatchObject(expected);
    expect(other.config).toMatchObject(expected);
    expect([one.config.origins.get(key), other.config.origins.get(key)]).toEqual([name, `--${key.replace("_", "-")}`]);
  });

  it("replaces the whole list of routes", async () => {
    expect((await resolve({ user: set("u"), project: set("p") })).names).toEqual(["p"]);
    expect((await resolve({ user: set("u"), project: "gpu: off" })).names).toEqual(["u"]);
    expect((await resolve({ project: set("p"), env: { ARCH_ROUTE_ROUTES: "coding" } })).names).toContain("bug_fixing");
  });

  it("starts paths at the file that names them, and those of flags and variables at the current folder", async () => {
    const files = { "here.json": JSON.stringify([{ name: "here", description: "H" }]) };
    expect((await resolve({ files, flags: { routes: "here.json" } })).names).toEqual(["here"]);
    expect((await resolve({ files, env: { ARCH_ROUTE_ROUTES: "./here.json" } })).names).toEqual(["here"]);
    expect((await resolve({ files, project: "routes: here.json" })).names).toEqual(["here"]);
    await expect(resolve({ files, user: "routes: here.json" })).rejects.toMatchObject({ code: "E_CONFIG" });
    const user = await resolve({ user: "model: models/x.gguf" });
    expect(user.config.model).toBe(join(user.home, "arch-route/models/x.gguf"));
    const flag = await resolve({ flags: { model: "x.gguf" } });
    expect(flag.config.model).toBe(join(flag.cwd, "x.gguf"));
    expect((await resolve({ flags: { model: "arch-router:q8_0" } })).config.model).toBe("arch-router:q8_0");
    expect((await resolve({ flags: { model: "/x.gguf" } })).config.model).toBe("/x.gguf");
  });

  it("does not read a route set that another layer puts aside", async () => {
    expect((await resolve({ user: "routes: nowhere.json", flags: { routes: "coding" } })).names).toContain(
      "bug_fixing",
    );
  });

  it("takes what a route set says of other and of the command, unless its layer says it itself", async () => {
    const files = {
      "set.json": JSON.stringify({
        routes: [{ name: "a", description: "A" }],
        other: { model: "set" },
        command: ["set"],
      }),
    };
    const { config } = await resolve({ files, flags: { routes: "set.json" }, user: "other: {model: user}" });
    expect(config.routes).toMatchObject({ other: { model: "set" }, command: ["set"] });
    const project = await resolve({ files, project: "routes: set.json\nother: {model: own}", trusted: true });
    expect(project.config.routes).toMatchObject({ other: { model: "own" }, command: ["set"] });
  });

  it.each([
    [{ ARCH_ROUTE_GPU: "voodoo" }, {}, "E_CONFIG", "ARCH_ROUTE_GPU voodoo: "],
    [{ ARCH_ROUTE_MIN_CONFIDENCE: "2" }, {}, "E_CONFIG", "ARCH_ROUTE_MIN_CONFIDENCE 2: must be a number from 0 to 1"],
    [{}, { gpu: "voodoo" }, "E_USAGE", "--gpu voodoo: "],
    [{}, { min_confidence: "50%" }, "E_USAGE", "--min-confidence 50%: must be a number from 0 to 1"],
    [{}, { routes: "nowhere" }, "E_CONFIG", "nowhere: no such file"],
  ])("refuses %j %j", async (env, flags, code, message) => {
    await expect(resolve({ env: env as Record<string, string>, flags })).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  });

  it("ignores variables that are no settings", async () => {
    const env = { ARCH_ROUTE_ID: "x", ARCH_ROUTE_OTHER: "x", ARCH_ROUTE_COMMAND: "rm", ARCH_ROUTE_: "x" };
    expect((await resolve({ env })).config.routes).not.toHaveProperty("command");
  });
});

describe("a project's file", () => {
  it("describes routes and thresholds, but names nothing to run or load, until it is trusted", async () => {
    const { config, cwd } = await resolve({ project: powerful });
    expect(config.routes).toEqual({
      routes: [
        { name: "a", description: "A" },
        { name: "b", description: "B" },
      ],
    });
    expect([config.model, config.minConfidence]).toEqual([undefined, 0.25]);
    expect(config.warnings).toEqual([
      `${cwd}/.arch-route.yaml: not trusted: its commands and models are ignored; read it, then run arch-route trust`,
    ]);
    expect(config.origins.get("model")).toBeUndefined();
  });

  it("does not put aside what the user's file names to run or load", async () => {
    const user = "model: mini\ncommand: [cat]\nother: {model: mine}\n";
    const { config } = await resolve({ user, project: powerful });
    expect(config).toMatchObject({ model: "mini", routes: { command: ["cat"], other: { model: "mine" } } });
  });

  it("counts in full once it is trusted", async () => {
    const { config } = await resolve({ project: powerful, trusted: true });
    expect(config.warnings).toEqual([]);
    expect(config).toMatchObject({
      model: "arch-router",
      routes: {
        command: ["rm", "{model}"],
        other: { run: [["rm"]] },
        routes: [{ name: "a", description: "A", run: [["rm", "-rf"]], model: "m" }, { name: "b" }],
      },
    });
  });

  it("needs no trust if it has no such power", async () => {
    expect((await resolve({ project: set("a", "model: mini\n") })).config).toMatchObject({
      model: "mini",
      warnings: [],
    });
  });

  it("is as little trusted through the route set that it names", async () => {
    const files = {
      "set.json": JSON.stringify({
        routes: [{ name: "a", description: "A", run: [["rm"]] }],
        other: { run: [["rm"]] },
        command: ["rm"],
      }),
    };
    const project = "routes: set.json\n";
    const { config } = await resolve({ files, project });
    expect(config.routes).toEqual({ routes: [{ name: "a", description: "A" }] });
    expect(config.warnings).toHaveLength(1);
    expect((await resolve({ files, project, trusted: true })).config.routes).toMatchObject({ command: ["rm"] });
  });

  it("is asked about again when it or the route set that it names has changed", async () => {
    const cwd = folderWith({
      ".arch-route.yaml": "routes: set.json\ncommand: [cat]\n",
      "set.json": '[{"name":"a","description":"A"}]',
    });
    const state = temporaryFolder();
    const env = { XDG_CONFIG_HOME: state, XDG_STATE_HOME: state };
    const command = async () => (await resolveConfig({}, { env, cwd: () => cwd })).routes.command;
    await trust(findFolders(env), (await findProjectFile(cwd))?.fingerprint ?? "");
    expect(await command()).toEqual(["cat"]);
    addFiles(cwd, { "set.json": '[{"name":"a","description":"B"}]' });
    expect(await command()).toBeUndefined();
    addFiles(cwd, { "set.json": '[{"name":"a","description":"A"}]' });
    expect(await command()).toEqual(["cat"]);
    addFiles(cwd, { ".arch-route.yaml": "routes: set.json\ncommand: [rm]\n" });
    expect(await command()).toBeUndefined();
  });

  it("cannot have itself trusted by the paths of the user's files", async () => {
    const { config } = await resolve({
      project: powerful,
      env: { XDG_STATE_HOME: "." },
      files: { "arch-route/trusted": "x" },
    });
    expect(config.warnings).toHaveLength(1);
  });
});

describe("powersOf", () => {
  it("lists what a file may run or load", () => {
    const routes = [
      { name: "a", description: "A", run: [["x"]], model: "m" },
      { name: "b", description: "B" },
    ];
    expect(powersOf({ model: "p", command: ["c"], other: { model: "o" }, routes, gpu: "off" })).toEqual([
      ["model", "p"],
      ["command", ["c"]],
      ["other", { model: "o" }],
      ["a: run", [["x"]]],
      ["a: model", "m"],
    ]);
    expect(powersOf({ model: "mini", routes: "coding", min_margin: 0.1, cascade: true })).toEqual([]);
  });
});

describe("a server", () => {
  const url = "http://127.0.0.1:8080";
  const server = { url: new URL(`${url}/v1/`), model: undefined };

  it.each<[string, Given]>([
    ["flags", { flags: { engine: "openai", url } }],
    ["variables", { env: { ARCH_ROUTE_ENGINE: "openai", ARCH_ROUTE_URL: url } }],
    ["the user's file", { user: `engine: openai\nurl: ${url}\n` }],
    ["a trusted project's file", { project: `engine: openai\nurl: ${url}\n`, trusted: true }],
    ["a file and a flag", { user: `url: ${url}\n`, flags: { engine: "openai" } }],
  ])("may be named by %s", async (_, given) => {
    expect((await resolve(given)).config.server).toEqual(server);
  });

  it("is none of a project's choosing before it is trusted", async () => {
    const { config } = await resolve({ project: `engine: openai\nurl: ${url}\n` });
    expect([config.server, config.warnings.length]).toEqual([undefined, 1]);
    const user = "engine: openai\nurl: https://mine/v1\n";
    const both = await resolve({ user, project: "url: https://evil/v1\nengine: llama\n" });
    expect(both.config.server?.url.href).toBe("https://mine/v1/");
    const one = await resolve({ user, project: "url: https://evil/v1\n" });
    expect([one.config.server?.url.href, one.config.warnings.length]).toEqual(["https://mine/v1/", 1]);
  });

  it("gets the model's name as it is, which is none of a model here", async () => {
    const flags = { engine: "openai", url, model: "katanemo/Arch-Router-1.5B" };
    const { config } = await resolve({ flags });
    expect([config.server?.model, config.model]).toEqual(["katanemo/Arch-Router-1.5B", undefined]);
  });

  it("is not used without being asked for", async () => {
    expect((await resolve({ user: `url: ${url}\n` })).config.server).toBeUndefined();
    expect((await resolve({ user: `engine: openai\nurl: ${url}\n`, flags: { engine: "llama" } })).config.server).toBe(
      undefined,
    );
  });

  it.each<[Given, string, string]>([
    [{ flags: { engine: "openai" } }, "E_CONFIG", "engine openai: there is no url"],
    [{ flags: { url } }, "E_USAGE", "--url: the model runs on this machine"],
    [{ flags: { engine: "openai", url: "host:8080" } }, "E_USAGE", "--url host:8080: must be http(s)://"],
    [{ env: { ARCH_ROUTE_URL: "https://me:secret@host/" } }, "E_CONFIG", "ARCH_ROUTE_URL"],
    [{ flags: { engine: "remote" } }, "E_USAGE", "--engine remote: "],
  ])("must be one: %j", async (given, code, message) => {
    await expect(resolve(given)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });

  it.each<[Given, boolean]>([
    [{}, false],
    [{ flags: { offline: true } }, true],
    [{ env: { HF_HUB_OFFLINE: "1" } }, true],
  ])("is asked offline or not: %j", async (given, offline) => {
    expect((await resolve(given)).config.access.offline).toBe(offline);
  });
});
