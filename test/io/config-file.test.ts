import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseConfig, parseRouteSet } from "../../src/io/config-file.js";
import { createFakeEngine } from "../helpers/fake-engine.js";
import { runCli } from "../helpers/run-cli.js";
import { folderWith } from "./temporary-files.js";

const yaml = (text: string) => parseConfig("c.yaml", text);
const route = "- {name: a, description: A}";

const bomb = `a: &l0 [x]\n${Array.from({ length: 9 }, (_, i) => `b${i}: &l${i + 1} [${`*l${i},`.repeat(9)}]`).join("\n")}\n`;

/** A name, the file's extension, its text, the line to be named (0: none), and what the message says. */
const bad: readonly (readonly [string, "yaml" | "json", string, number, string])[] = [
  ["YAML that does not end", "yaml", "routes: [", 1, "Flow sequence"],
  ["YAML indented with tabs", "yaml", "routes:\n\t- name: a\n", 2, "Tabs are not allowed"],
  ["YAML with a colon in a value", "yaml", "min_margin: 0\nroutes: a: b\n", 2, "compact mapping"],
  ["two documents", "yaml", "min_margin: 0\n---\nmin_margin: 0\n", 2, "multiple documents"],
  ["JSON that does not end", "json", '{"routes": [', 1, "Flow sequence"],
  ["JSON with an unquoted mess", "json", '{\n"min_margin": 0,\n"a" "b"\n}', 3, ""],
  ["a list", "yaml", "- a\n- b\n", 1, "expected Object, got Array"],
  ["a word", "yaml", "routes", 1, 'expected Object, got "routes"'],
  [
    "a misspelt key",
    "yaml",
    "min_margin: 0\nmin_confidense: 0.5\n",
    2,
    "min_confidense: unknown key; did you mean min_confidence?",
  ],
  [
    "a misspelt key in JSON",
    "json",
    '{\n  "min_margin": 0,\n  "rotes": []\n}',
    3,
    "rotes: unknown key; did you mean routes?",
  ],
  ["a key that is like none", "yaml", "colour: red\n", 1, "colour: unknown key; use one of model, routes, other"],
  ["a key of another program", "yaml", "$import: /etc/passwd\n", 1, "$import: unknown key"],
  ["a key of another program in a list", "json", '{"$import": ["./other.json"]}', 1, "$import: unknown key"],
  ["__proto__ as a key", "json", '{\n"__proto__": {"model": "x"}}', 2, "__proto__: unknown key"],
  [
    "an unknown key in a route",
    "yaml",
    `routes:\n  ${route}\n  - name: b\n    description: B\n    comand: [x]\n`,
    5,
    "routes[1].comand: unknown key",
  ],
  [
    "a misspelt required key",
    "yaml",
    "routes:\n  - name: b\n    descripton: B\n",
    3,
    "routes[0].descripton: unknown key; did you mean description?",
  ],
  [
    "an unknown key in other",
    "yaml",
    "min_margin: 0\nother:\n  modle: x\n",
    3,
    "other.modle: unknown key; did you mean model?",
  ],
  [
    "a name that is there twice",
    "yaml",
    `routes:\n  ${route}\n  ${route}\n`,
    3,
    'routes[1].name: the name "a" is used twice',
  ],
  ["no routes", "yaml", "min_margin: 0\nroutes: []\n", 2, "routes: there are no routes"],
  [
    "a route named other",
    "json",
    '{"routes": [\n{"name": "other",\n"description": "A"}]}',
    2,
    'routes[0].name: the name "other" is taken',
  ],
  ["an empty name", "yaml", 'routes:\n  - {name: " ", description: A}\n', 2, "routes[0].name: the name is empty"],
  [
    "a name of two lines",
    "yaml",
    'routes:\n  - {name: "a\\nb", description: A}\n',
    2,
    "routes[0].name: the name has a line break",
  ],
  [
    "an empty description",
    "yaml",
    'routes:\n  - name: a\n    description: ""\n',
    3,
    'routes[0].description: the description of "a" is empty',
  ],
  ["a route without a name", "yaml", `routes:\n  ${route}\n  - description: B\n`, 3, "routes[1].name: missing"],
  ["a route without a description", "yaml", `routes:\n  ${route}\n  - name: b\n`, 3, "routes[1].description: missing"],
  ["a route that is a word", "yaml", `routes:\n  ${route}\n  - b\n`, 3, 'routes[1]: expected Object, got "b"'],
  [
    "a number for a name",
    "yaml",
    "routes:\n  - name: 7\n    description: A\n",
    2,
    "routes[0].name: expected string, got 7",
  ],
  [
    "a map for a description",
    "yaml",
    "routes:\n  - name: a\n    description: {b: c}\n",
    3,
    "routes[0].description: expected string, got Object",
  ],
  ["routes that are a number", "yaml", "min_margin: 0\nroutes: 7\n", 2, "routes: expected Array, got 7"],
  ["routes that are nothing", "yaml", "min_margin: 0\nroutes:\n", 2, "routes: expected Array, got null"],
  ["a model that is a list", "yaml", "model: [a]\n", 1, "model: expected string, got Array"],
  ["an empty model", "yaml", 'model: ""\n', 1, "model: must not be empty"],
  [
    "a command that is a string",
    "yaml",
    `routes:\n  - name: a\n    description: A\n    run: ollama run x\n`,
    4,
    "routes[0].run: expected Array",
  ],
  [
    "commands that are strings",
    "yaml",
    `routes:\n  - name: a\n    description: A\n    run: [ollama, run]\n`,
    4,
    "routes[0].run[0]: expected Array",
  ],
  [
    "a command without a word",
    "yaml",
    `routes:\n  - name: a\n    description: A\n    run: [[]]\n`,
    4,
    "routes[0].run[0]: a command needs at least its name",
  ],
  [
    "no command in a list",
    "yaml",
    `routes:\n  - name: a\n    description: A\n    run: []\n`,
    4,
    "routes[0].run: there is no command in the list",
  ],
  ["a number in a command", "yaml", "command: [ollama, 7]\n", 1, "command[1]: expected string, got 7"],
  ["a history that is none", "yaml", "history: some\n", 1, "history: must be"],
  ["a history of nothing", "yaml", "history: 0\n", 1, "history: must be"],
  ["a history of a part", "yaml", "history: 1.5\n", 1, "history: must be"],
  ["a threshold over 1", "yaml", "min_confidence: 1.5\n", 1, "min_confidence: must be a number from 0 to 1"],
  ["a threshold under 0", "yaml", "min_margin: -0.1\n", 1, "min_margin: must be a number from 0 to 1"],
  ["a threshold in words", "yaml", "min_confidence: high\n", 1, "min_confidence: must be a number from 0 to 1"],
  [
    "a threshold that is no number",
    "yaml",
    "min_confidence: .nan\n",
    1,
    "min_confidence: must be a number from 0 to 1",
  ],
  ["a threshold in a list", "yaml", "min_confidence: [0.5]\n", 1, "min_confidence: must be a number from 0 to 1"],
  [
    "a graphics card that is none",
    "yaml",
    "gpu: voodoo\n",
    1,
    'gpu: expected ("auto" | "cuda" | "metal" | "vulkan" | "off"), got "voodoo"',
  ],
  ["a boolean for the graphics card", "yaml", "gpu: false\n", 1, "gpu: expected"],
  ["a way to write Unicode that is none", "yaml", "unicode: utf8\n", 1, "unicode: expected"],
  ["no threads", "yaml", "threads: 0\n", 1, "threads: must be a whole number from 1 up"],
  ["a tiny context", "yaml", "context: 100\n", 1, "context: must be a whole number from 512 up"],
  ["a key that is there twice", "yaml", "gpu: auto\nmin_margin: 0\ngpu: off\n", 3, "Map keys must be unique"],
  ["a key that is there twice in JSON", "json", '{"gpu": "auto",\n"gpu": "off"}', 2, "Map keys must be unique"],
  ["an alias bomb", "yaml", bomb, 0, "Excessive alias count"],
  ["an alias of nothing", "yaml", "model: *x\n", 0, "Unresolved alias"],
  ["a route that is a list", "yaml", "routes:\n  - [a, A]\n", 2, "routes[0]: expected Object, got Array"],
  ["a line break of Windows before the mistake", "yaml", "min_margin: 0\r\n\r\ngpu: voodoo\r\n", 3, "gpu: expected"],
];

describe("a bad project file", () => {
  it.each(bad)("%s: nothing is routed, and the message says where", async (_, extension, text, line, message) => {
    const cwd = folderWith({ [`.arch-route.${extension}`]: text });
    const engine = createFakeEngine();
    const { code, stdout, stderr } = await runCli(["fix bug_fixing"], { cwd, engine });
    expect({ code, stdout, calls: engine.calls.length }).toEqual({ code: 2, stdout: "", calls: 0 });
    const place = join(cwd, `.arch-route.${extension}`) + (line === 0 ? "" : `:${line}`);
    expect(stderr).toContain(`arch-route: ${place}: `);
    expect(stderr).toContain(message);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });
});

describe("parseConfig", () => {
  it("reads all settings, of YAML and of JSON", () => {
    const settings = {
      model: "arch-router:q4_k_m",
      routes: [{ name: "a", description: "A", run: [["ollama", "run", "x"]], model: "x" }],
      other: { run: [["cat"]] },
      command: ["ollama", "run", "{model}"],
      min_confidence: 0.5,
      min_margin: 0,
      history: 3,
      unicode: "escape",
      gpu: "off",
      threads: 2,
      context: 4096,
    };
    const text = JSON.stringify(settings, undefined, 2);
    expect(parseConfig("c.json", text)).toEqual(settings);
    expect(parseConfig("c.json", text.replaceAll("  ", "\t"))).toEqual(settings);
    expect(
      yaml(`model: arch-router:q4_k_m
routes:
  - name: a
    description: A
    run: [[ollama, run, x]]
    model: x
other: {run: [[cat]]}
command: [ollama, run, "{model}"]
min_confidence: .5
min_margin: 0
history: 3
unicode: escape
gpu: "off"
threads: 2
context: 4096
`),
    ).toEqual(settings);
  });

  it.each([
    ["an empty file", ""],
    ["comments only", "# nothing\n"],
    ["an empty document", "---\n"],
    ["an empty object", "{}"],
    ["a byte order mark", "\ufeff{}"],
  ])("takes %s for no settings", (_, text) => {
    expect(yaml(text)).toEqual({});
  });

  it("leaves the word off what it is", () => {
    expect(yaml("gpu: off")).toEqual({ gpu: "off" });
  });

  it("reads an anchor used a few times", () => {
    expect(
      yaml("other: &o {model: m}\nroutes: [{name: a, description: &d A}, {name: b, description: *d}]"),
    ).toMatchObject({
      routes: [{ description: "A" }, { description: "A" }],
    });
  });

  it.each(["__proto__", "constructor", "toString"])("takes %s for a route's name like any other", (name) => {
    const [first] = yaml(`routes: [{name: ${name}, description: A}]`).routes ?? [];
    expect(first).toEqual({ name, description: "A" });
    expect(({} as Record<string, unknown>)["description"]).toBeUndefined();
  });
});

describe("parseRouteSet", () => {
  it("knows the keys of a route set only", () => {
    expect(() => parseRouteSet("s.json", '{"routes": [], "gpu": "off"}')).toThrow("gpu: unknown key");
  });
});
