import { mkdirSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bundledRouteNames } from "../../src/io/bundled.js";
import { readConfigText, readRouteSet } from "../../src/io/route-set-file.js";
import { temporaryFolder } from "../helpers/run-cli.js";
import { folderWith } from "./temporary-files.js";

const routes = [
  { name: "a", description: "A" },
  { name: "b", description: "B", model: "m", run: [["x"]] },
];

describe("readRouteSet", () => {
  it.each([
    [
      "YAML",
      "set.yaml",
      "routes:\n  - {name: a, description: A}\n  - {name: b, description: B, model: m, run: [[x]]}\n",
    ],
    ["JSON", "set.json", JSON.stringify({ routes })],
    ["JSON indented with tabs", "set.json", JSON.stringify({ routes }, undefined, "\t")],
    ["JSON that names its schema", "set.json", JSON.stringify({ $schema: "./schema.json", routes })],
    ["a bare list", "set.json", JSON.stringify(routes)],
    [
      "a file with a byte order mark and CRLF",
      "set.json",
      `\ufeff${JSON.stringify({ routes }, undefined, 2).replaceAll("\n", "\r\n")}`,
    ],
    ["a file without an extension", "set", JSON.stringify({ routes })],
  ])("reads %s", async (_, name, text) => {
    const set = await readRouteSet(name, folderWith({ [name]: text }));
    expect(set.settings.routes).toEqual(routes);
    expect(set.text).toBe(text);
  });

  it("reads what serves other, and the common command", async () => {
    const text = JSON.stringify({ routes, other: { model: "o" }, command: ["run", "{model}"] });
    const { settings } = await readRouteSet("set.json", folderWith({ "set.json": text }));
    expect(settings).toMatchObject({ other: { model: "o" }, command: ["run", "{model}"] });
  });

  it("prefers a shipped set to a file of its name", async () => {
    const folder = folderWith({ coding: JSON.stringify(routes) });
    expect((await readRouteSet("coding", folder)).settings.routes).not.toEqual(routes);
    expect((await readRouteSet("./coding", folder)).settings.routes).toEqual(routes);
  });

  it.each([
    ["a missing file", "nowhere.json", "no such file"],
    ["a folder", "folder", "EISDIR"],
    ["a file that is too large", "large.json", "it is larger than 16 MiB"],
  ])("refuses %s and says what there is", async (_, name, why) => {
    const folder = folderWith({ "large.json": "" });
    truncateSync(join(folder, "large.json"), 16 * 1024 * 1024 + 1);
    mkdirSync(join(folder, "folder"));
    await expect(readRouteSet(name, folder)).rejects.toMatchObject({
      code: "E_CONFIG",
      message: expect.stringMatching(`^routes ${join(folder, name)}: .*${why}`),
      hint: `give a file, or one of ${bundledRouteNames().join(", ")}`,
    });
  });

  it.each([
    [
      "a setting that is none of a route set",
      '{"routes": [{"name": "a", "description": "A"}],\n"min_confidence": 1}',
      "set.json:2: min_confidence: unknown key",
    ],
    ["a wrong key in a bare list", '[\n{"name": "a", "descripton": "A"}]', "set.json:2: [0].descripton: unknown key"],
    [
      "two equal names in a bare list",
      '[{"name": "a", "description": "A"},\n{"name": "a", "description": "A"}]',
      'set.json:2: [1].name: the name "a" is used twice',
    ],
    ["a set without routes", '{"other": {}}', "set.json:1: routes: missing"],
    ["an empty list", "[]", "there are no routes"],
    ["an empty file", "", "set.json:1: "],
    ["a string", '"coding"', "set.json:1: "],
  ])("refuses %s", async (_, text, message) => {
    await expect(readRouteSet("set.json", folderWith({ "set.json": text }))).rejects.toMatchObject({
      code: "E_CONFIG",
      message: expect.stringContaining(message),
    });
  });
});

describe("readConfigText", () => {
  it("reads a text as it is", async () => {
    expect(await readConfigText(join(folderWith({ a: "ä\r\n" }), "a"), "import")).toBe("ä\r\n");
  });

  it("names what cannot be read", async () => {
    const path = join(temporaryFolder(), "a");
    await expect(readConfigText(path, "import")).rejects.toMatchObject({ message: `import ${path}: no such file` });
  });
});
