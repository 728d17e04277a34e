import {
  chmodSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { editDescriptions, locateRouteFile, saveDescriptions } from "../../src/io/route-file-edit.js";
import { temporaryFolder } from "../helpers/run-cli.js";

const a = (description: string) => [{ name: "a", description }];

describe("editDescriptions changes one text and leaves all else", () => {
  it.each<[string, string, string, string, string]>([
    [
      "plain",
      "r.yaml",
      "# top\nroutes:\n  - name: a  # n\n    description: old # d\n",
      "new",
      "# top\nroutes:\n  - name: a  # n\n    description: new # d\n",
    ],
    [
      "double quotes",
      "r.yaml",
      '- {name: a, description: "old"} # c\n',
      'a, "b"',
      '- {name: a, description: "a, \\"b\\""} # c\n',
    ],
    ["single quotes", "r.yaml", "- name: a\n  description: 'old'\n", "it's", '- name: a\n  description: "it\'s"\n'],
    [
      "plain in braces",
      "r.yaml",
      "- {name: a, description: old}\n",
      "x, y: z",
      '- {name: a, description: "x, y: z"}\n',
    ],
    [
      "folded",
      "r.yaml",
      "- name: a\n  description: >-\n    old\n    text\n  model: m # k\n",
      "new",
      '- name: a\n  description: "new"\n  model: m # k\n',
    ],
    [
      "what would be something else",
      "r.yaml",
      "- name: a\n  description: old\n",
      "yes: # no",
      '- name: a\n  description: "yes: # no"\n',
    ],
    ["a number", "r.yaml", "- name: a\n  description: old\n", "12", '- name: a\n  description: "12"\n'],
    [
      "long text stays on its line",
      "r.yaml",
      "- name: a\n  description: old\n",
      "word ".repeat(60).trim(),
      `- name: a\n  description: ${"word ".repeat(60).trim()}\n`,
    ],
    [
      "CRLF and a byte order mark",
      "r.yaml",
      "\ufeffroutes:\r\n- name: a\r\n  description: old\r\n",
      "new",
      "\ufeffroutes:\r\n- name: a\r\n  description: new\r\n",
    ],
    [
      "JSON",
      "r.json",
      '{ "routes": [ { "name": "a",  "description": "old" } ] }\n',
      'é "q" \\',
      '{ "routes": [ { "name": "a",  "description": "é \\"q\\" \\\\" } ] }\n',
    ],
    [
      "a project's file",
      ".arch-route.yaml",
      "model: mini # m\nroutes:\n- name: a\n  description: old\n",
      "new",
      "model: mini # m\nroutes:\n- name: a\n  description: new\n",
    ],
    ["the same text", "r.yaml", "- name: a\n  description:   old\n", "old", "- name: a\n  description:   old\n"],
  ])("%s", (_, path, text, description, expected) => {
    expect(editDescriptions(path, text, a(description))).toBe(expected);
  });

  it("but refuses a text that stands elsewhere", () => {
    const text = "- &x\n  name: b\n  description: &d old\n- name: a\n  description: *d\n";
    expect(() => editDescriptions("r.yaml", text, a("new"))).toThrow(/description of a cannot be edited/);
  });
});

describe("saveDescriptions", () => {
  const write = (text: string) => {
    const path = join(temporaryFolder(), "routes.yaml");
    writeFileSync(path, text);
    return path;
  };
  const text = "- name: a\n  description: old\n";

  it("keeps mode and link, and leaves nothing behind", async () => {
    const folder = temporaryFolder();
    const [path, link] = [join(folder, "real.yaml"), join(folder, "link.yaml")];
    writeFileSync(path, text);
    chmodSync(path, 0o640);
    symlinkSync(path, link);
    const saved = await saveDescriptions({ path: link, text }, a("new"));
    expect(readFileSync(path, "utf8")).toBe("- name: a\n  description: new\n");
    expect(saved.text).toBe("- name: a\n  description: new\n");
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o640);
    expect(readdirSync(folder).sort()).toEqual(["link.yaml", "real.yaml"]);
  });

  it("saves twice in a row", async () => {
    const path = write(text);
    await saveDescriptions(await saveDescriptions({ path, text }, a("new")), a("newer"));
    expect(readFileSync(path, "utf8")).toContain("newer");
  });

  it("never over what somebody else wrote", async () => {
    const path = write("- name: a\n  description: theirs\n");
    await expect(saveDescriptions({ path, text }, a("new"))).rejects.toThrow(/somebody else changed it/);
    expect(readFileSync(path, "utf8")).toContain("theirs");
  });

  it("makes a project file for a shipped set, never over one that is there", async () => {
    const path = join(temporaryFolder(), ".arch-route.yaml");
    await saveDescriptions({ path, text: undefined }, a("new"));
    expect(readFileSync(path, "utf8")).toBe("routes:\n  - name: a\n    description: new\n");
    await expect(saveDescriptions({ path, text: undefined }, a("x"))).rejects.toThrow(/it is there already/);
  });
});

describe("locateRouteFile", () => {
  it("a file that was named", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "r.yaml"), "- {name: a, description: b}\n");
    expect(await locateRouteFile({ reference: "r.yaml", origin: "--routes" }, folder)).toMatchObject({
      path: join(folder, "r.yaml"),
    });
  });

  it.each(["coding", undefined])("a new project file for the shipped set %s", async (reference) => {
    const folder = temporaryFolder();
    expect(await locateRouteFile({ reference, origin: "default" }, folder)).toEqual({
      path: join(folder, ".arch-route.yaml"),
      text: undefined,
    });
    expect(existsSync(join(folder, ".arch-route.yaml"))).toBe(false);
  });

  it("a configuration file with routes of its own, or the set that it names", async () => {
    const folder = temporaryFolder();
    const [config, set] = [join(folder, ".arch-route.yaml"), join(folder, "set.yaml")];
    writeFileSync(config, "routes:\n- {name: a, description: b}\n");
    expect((await locateRouteFile({ reference: undefined, origin: config }, "/")).path).toBe(config);
    writeFileSync(config, "routes: set.yaml\n");
    writeFileSync(set, "- {name: a, description: b}\n");
    expect((await locateRouteFile({ reference: undefined, origin: config }, "/")).path).toBe(set);
  });
});
