import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { findProjectFile, findUserFile } from "../../src/io/config-search.js";
import { runCli } from "../helpers/run-cli.js";
import { addFiles, folderWith } from "./temporary-files.js";

const set = (name: string) => JSON.stringify({ routes: [{ name, description: "A" }] });
const nameOf = async (cwd: string) => {
  const routes = (await findProjectFile(cwd))?.values.routes;
  return typeof routes === "string" ? routes : routes?.[0]?.name;
};

describe("findProjectFile", () => {
  it.each([".arch-route.yaml", ".arch-route.yml", ".arch-route.json"])("finds %s", async (name) => {
    const cwd = folderWith({ [name]: set("a") });
    expect(await findProjectFile(cwd)).toMatchObject({ path: join(cwd, name), values: { routes: [{ name: "a" }] } });
  });

  it("takes the nearest up to the folder with .git", async () => {
    const root = folderWith({ "repo/.git/HEAD": "", "repo/.arch-route.yaml": set("root"), "repo/a/b/c/file": "" });
    expect(await nameOf(join(root, "repo/a/b/c"))).toBe("root");
    addFiles(root, { "repo/a/.arch-route.json": set("nearer") });
    expect(await nameOf(join(root, "repo/a/b/c"))).toBe("nearer");
    expect(await nameOf(join(root, "repo"))).toBe("root");
  });

  it("takes a .git that is a file, as of a worktree, for a root", async () => {
    const root = folderWith({ ".arch-route.yaml": set("above"), "tree/.git": "gitdir: x", "tree/a/file": "" });
    expect(await nameOf(join(root, "tree/a"))).toBeUndefined();
  });

  it("does not look above the root", async () => {
    const root = folderWith({ ".arch-route.yaml": set("above"), "repo/.git/HEAD": "", "repo/a/file": "" });
    expect(await nameOf(join(root, "repo/a"))).toBeUndefined();
    expect(await nameOf(join(root, "repo"))).toBeUndefined();
  });

  it("looks in the current folder alone where there is no repository", async () => {
    const root = folderWith({ ".arch-route.yaml": set("above"), "a/file": "" });
    expect(await nameOf(join(root, "a"))).toBeUndefined();
    expect(await nameOf(root)).toBe("above");
  });

  it("passes over an empty file", async () => {
    const root = folderWith({ ".git/HEAD": "", ".arch-route.yaml": set("root"), "a/.arch-route.yaml": "" });
    expect(await nameOf(join(root, "a"))).toBe("root");
  });

  it("passes over a folder of that name", async () => {
    const root = folderWith({ ".git/HEAD": "", ".arch-route.json": set("root") });
    mkdirSync(join(root, ".arch-route.yaml"));
    expect(await nameOf(root)).toBe("root");
  });

  it("reads the route set that the file names, from the file's folder", async () => {
    const root = folderWith({
      ".git/HEAD": "",
      ".arch-route.yaml": "routes: sets/mine.json",
      "sets/mine.json": set("mine"),
      "a/file": "",
    });
    expect(await nameOf(join(root, "a"))).toBe("mine");
  });

  it("leaves the name of a shipped set as it is", async () => {
    expect(await nameOf(folderWith({ ".arch-route.yaml": "routes: coding" }))).toBe("coding");
  });

  it("names a route set that is not there", async () => {
    const cwd = folderWith({ ".arch-route.yaml": "routes: nowhere.json" });
    await expect(findProjectFile(cwd)).rejects.toMatchObject({
      code: "E_CONFIG",
      message: `routes ${join(cwd, "nowhere.json")}: no such file`,
    });
  });

  it("has another fingerprint when the file or the route set that it names has changed", async () => {
    const cwd = folderWith({ ".arch-route.yaml": "routes: mine.json", "mine.json": set("a") });
    const fingerprint = async () => (await findProjectFile(cwd))?.fingerprint;
    const before = await fingerprint();
    expect(await fingerprint()).toBe(before);
    addFiles(cwd, { "mine.json": set("b") });
    const after = await fingerprint();
    addFiles(cwd, { ".arch-route.yaml": "routes: mine.json # hello" });
    expect(new Set([before, after, await fingerprint()]).size).toBe(3);
  });
});

describe("findUserFile", () => {
  it.each(["config.yaml", "config.yml", "config.json"])("finds %s", async (name) => {
    const folder = folderWith({ [name]: set("a") });
    expect(await findUserFile(folder)).toMatchObject({ path: join(folder, name) });
  });

  it("finds nothing in a folder that is not there", async () => {
    expect(await findUserFile("/nowhere")).toBeUndefined();
  });
});

describe("code in a stranger's checkout", () => {
  const marker = (root: string) => join(root, "executed");
  const hostile = (root: string) => {
    const js = `require("node:fs").writeFileSync(${JSON.stringify(marker(root))}, "");module.exports = {}`;
    const esm = `import { writeFileSync } from "node:fs"; writeFileSync(${JSON.stringify(marker(root))}, ""); export default {}`;
    const settings = { searchPlaces: ["evil.js"], routes: [{ name: "evil", description: "E" }] };
    const names = [
      ".arch-route",
      "arch-route.config",
      ".arch-routerc",
      ".config/config",
      ".config/arch-route",
      ".config/arch-routerc",
    ];
    return Object.fromEntries([
      ["evil.js", js],
      ...names.flatMap((name) => [
        [`${name}.js`, js],
        [`${name}.cjs`, js],
        [`${name}.mjs`, esm],
        [`${name}.ts`, esm],
      ]),
      ["package.json", JSON.stringify({ cosmiconfig: settings, "arch-route": settings })],
      ["package.yaml", JSON.stringify({ cosmiconfig: settings, "arch-route": settings })],
      [".config/config.yaml", JSON.stringify({ cosmiconfig: settings })],
      [".config/config.json", JSON.stringify({ cosmiconfig: settings })],
      [".arch-routerc", JSON.stringify(settings)],
      [".config/arch-routerc", JSON.stringify(settings)],
    ]) as Record<string, string>;
  };

  it.each([
    ["the current folder", "", ""],
    ["a folder between it and the root", "a", "a/b"],
    ["the root of the repository", "", "a/b"],
    ["a folder above the root", "..", ""],
  ])("is neither run nor read in %s", async (_, at, cwd) => {
    const top = folderWith({ "repo/.git/HEAD": "", "repo/a/b/file": "" });
    const root = join(top, "repo");
    addFiles(join(root, at), hostile(top));
    for (const args of [["fix bug_fixing"], ["config"], ["routes", "list"], ["--help"], ["--version"]]) {
      const { code, stdout } = await runCli(args, { cwd: join(root, cwd) });
      expect(code).toBe(0);
      expect(stdout).not.toContain("evil");
    }
    const { code } = await runCli(["trust"], { cwd: join(root, cwd) });
    expect([code, existsSync(marker(top))]).toEqual([2, false]);
  });

  it("is neither run nor read in the user's folder", async () => {
    const home = folderWith({});
    addFiles(join(home, "arch-route"), hostile(home));
    const { stdout } = await runCli(["fix bug_fixing"], { env: { XDG_CONFIG_HOME: home, HOME: home } });
    expect([stdout, existsSync(marker(home))]).toEqual(["bug_fixing\n", false]);
  });

  it.each([["--help"], ["--version"], ["routes", "--help"]])(
    "does not even make %s read a broken file",
    async (...args) => {
      const cwd = folderWith({ ".arch-route.yaml": "routes: [" });
      const { code, stderr } = await runCli(args, { cwd, env: { ARCH_ROUTE_GPU: "voodoo" } });
      expect([code, stderr]).toEqual([0, ""]);
    },
  );
});
