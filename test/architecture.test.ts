import { existsSync, readdirSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { posix } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";

const root = new URL("..", import.meta.url);
const read = (file: string) => readFileSync(new URL(file, root), "utf8");

interface Import {
  /** Path from the root of the repository, or the name of a package. */
  readonly target: string;
  /** `type`: gone when compiled. `dynamic`: loaded when it is needed. */
  readonly kind: "static" | "dynamic" | "type";
}

const files = readdirSync(new URL("src", root), { recursive: true, encoding: "utf8" })
  .map((name) => posix.join("src", name.replaceAll("\\", "/")))
  .filter((name) => /\.tsx?$/.test(name))
  .sort();
const imports = new Map(files.map((file) => [file, readImports(file, read(file))]));
const all = files.flatMap((file) => importsOf(file).map((one) => ({ file, ...one })));

describe("reading imports", () => {
  it.each<[string, Import[]]>([
    ['import { a } from "./a.js";', [{ target: "src/x/a.ts", kind: "static" }]],
    ['import "./a.js";', [{ target: "src/x/a.ts", kind: "static" }]],
    ['import type { A } from "../b/a.js";', [{ target: "src/b/a.ts", kind: "type" }]],
    // Compiled to `import {} from`: the file is loaded.
    ['import { type A } from "./a.js";', [{ target: "src/x/a.ts", kind: "static" }]],
    ['export { a } from "./a.js";', [{ target: "src/x/a.ts", kind: "static" }]],
    ['export * from "./a.js";', [{ target: "src/x/a.ts", kind: "static" }]],
    ['export type { A } from "./a.js";', [{ target: "src/x/a.ts", kind: "type" }]],
    ['type A = import("./a.js").A;', [{ target: "src/x/a.ts", kind: "type" }]],
    ['async () => { (await import("./a.js")).a(); };', [{ target: "src/x/a.ts", kind: "dynamic" }]],
    ['import a from "pkg/dist/a.js";', [{ target: "pkg", kind: "static" }]],
    ['import a from "@scope/pkg/a";', [{ target: "@scope/pkg", kind: "static" }]],
    ['import { b } from "node:fs/promises";', [{ target: "node:fs/promises", kind: "static" }]],
    ['import { b } from "fs";', [{ target: "node:fs", kind: "static" }]],
    ['// import "./a.js"\nconst text = `import "./a.js"`;', []],
  ])("finds what is in %s", (text, found) => {
    expect(readImports("src/x/test.ts", text, () => false)).toEqual(found);
  });

  it("finds a file for every import, and all layers", () => {
    const missing = all.filter(({ target }) => isOwn(target) && !files.includes(target));
    expect(missing).toEqual([]);
    expect([...new Set(files.map(layerOf))].sort()).toEqual(["cli", "commands", "core", "engine", "index", "io", "ui"]);
  });
});

describe("layers", () => {
  it("leave core alone with itself", () => {
    expect(outside("core", (target) => layerOf(target) === "core")).toEqual([]);
  });

  it.each(["engine", "io", "ui"])("let %s know itself, core and packages, and neither of the other two", (layer) => {
    expect(outside(layer, (target) => !isOwn(target) || [layer, "core"].includes(layerOf(target)))).toEqual([]);
  });

  it("let commands know all below them", () => {
    const below = ["commands", "core", "engine", "io", "ui"];
    expect(outside("commands", (target) => !isOwn(target) || below.includes(layerOf(target)))).toEqual([]);
  });

  it("make of index a list of what is public", () => {
    const known = (target: string) => ["core", "engine"].includes(layerOf(target)) || target === "src/io/bundled.ts";
    expect(outside("index", known)).toEqual([]);
  });

  it("let cli load at once what its help needs, the rest when it is used", () => {
    const early = [
      "commander",
      "src/commands/table.ts",
      "src/core/errors.ts",
      "src/io/bundled.ts",
      "src/core/printable.ts",
      "src/io/input-format.ts",
    ];
    const loaded = importsOf("src/cli.ts").filter(({ kind }) => kind === "static");
    expect(loaded.map(({ target }) => target).filter((target) => !early.includes(target))).toEqual([]);
  });

  // A command loaded when it is asked for may name the types of the table that loads it.
  it.each<[string, Import["kind"][]]>([
    ["what they load", ["static", "dynamic"]],
    ["what they are compiled with", ["static", "type"]],
  ])("have no cycles in %s", (_, kinds) => {
    const next = (file: string) => importsOf(file).filter(({ kind }) => kinds.includes(kind));
    const inCycle = files.filter((file) => next(file).some(({ target }) => reach(target, kinds).has(file)));
    expect(inCycle).toEqual([]);
  });
});

describe("packages", () => {
  it.each<{ name: string; home: RegExp; types?: RegExp; unused?: boolean }>([
    { name: "commander", home: /^src\/cli\.ts$/ },
    // What is made of a loaded model, and the quick start, which handles the same binary, name its types.
    {
      name: "node-llama-cpp",
      home: /^src\/engine\/llama\.ts$/,
      types: /^src\/engine\/(llama|llama-text|quick-start)\.ts$/,
    },
    { name: "cosmiconfig", home: /^src\/io\/config-search\.ts$/ },
    { name: "execa", home: /^src\/io\/spawn\.ts$/, unused: !files.includes("src/io/spawn.ts") },
    { name: "chalk", home: /^src\/ui\/colour\.ts$/ },
    { name: "ink", home: /^src\/ui\/[^/]+\.tsx$/ },
    // JSX needs it, no file has to name it.
    { name: "react", home: /^src\/ui\/[^/]+\.tsx$/, unused: true },
  ])("$name has one home", ({ name, home, types = home, unused = false }) => {
    const users = all.filter(({ target }) => target === name);
    expect(users.filter(({ file, kind }) => !(kind === "type" ? types : home).test(file))).toEqual([]);
    expect(users.length > 0 || unused).toBe(true);
  });

  it("that are heavy are not loaded before they are needed", () => {
    const early = reach("src/cli.ts", ["static"]);
    const late = ["node-llama-cpp", "ink", "react", "src/engine/llama.ts", "src/ui/progress.tsx", "src/io/config.ts"];
    expect(late.filter((target) => early.has(target))).toEqual([]);
    expect([...early].filter((target) => !isOwn(target) && !isBuiltin(target))).toEqual(["commander"]);
    const ever = reach("src/cli.ts", ["static", "dynamic"]);
    expect(late.filter((target) => target !== "react" && !ever.has(target))).toEqual([]);
  });
});

describe("sources", () => {
  it("leave ending the process to bin", () => {
    expect(files.filter((file) => /\bprocess\s*\??\.\s*(exit|reallyExit|abort)\b/.test(read(file)))).toEqual([]);
  });

  it("have at most 250 lines each", () => {
    const lines = (file: string) => read(file).trimEnd().split("\n").length;
    expect(files.filter((file) => lines(file) > 250).map((file) => `${file}: ${lines(file)}`)).toEqual([]);
  });

  it("are entered by a bin of at most 10 lines", () => {
    const bin = read("bin/arch-route.js");
    expect(bin.trimEnd().split("\n").length).toBeLessThanOrEqual(10);
    expect(readImports("bin/arch-route.js", bin)).toEqual([{ target: "dist/cli.ts", kind: "static" }]);
  });
});

function importsOf(file: string): readonly Import[] {
  return imports.get(file) ?? [];
}

function isOwn(target: string): boolean {
  return target.startsWith("src/");
}

/** "src/core/route.ts" → "core"; "src/cli.ts" → "cli"; of a package "". */
function layerOf(target: string): string {
  return /^src\/([^/.]+)/.exec(target)?.[1] ?? "";
}

/** What a layer imports beside what it may. */
function outside(layer: string, allowed: (target: string) => boolean): string[] {
  return all
    .filter(({ file, target }) => layerOf(file) === layer && !allowed(target))
    .map(({ file, target }) => `${file} -> ${target}`);
}

/** Everything that an import leads to, itself included. */
function reach(start: string, kinds: readonly Import["kind"][]): Set<string> {
  const seen = new Set([start]);
  for (const file of seen) {
    for (const { target, kind } of importsOf(file)) if (kinds.includes(kind)) seen.add(target);
  }
  return seen;
}

function readImports(file: string, text: string, exists = (path: string) => existsSync(new URL(path, root))): Import[] {
  const found: Import[] = [];
  const add = (specifier: ts.Node | undefined, kind: Import["kind"]) => {
    if (specifier && ts.isStringLiteralLike(specifier)) found.push({ target: resolve(specifier.text), kind });
  };
  const resolve = (specifier: string) => {
    if (isBuiltin(specifier)) return `node:${specifier.replace(/^node:/, "")}`;
    if (!specifier.startsWith(".")) return /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
    const path = posix.join(posix.dirname(file), specifier).replace(/\.js$/, ".ts");
    return exists(`${path}x`) ? `${path}x` : path;
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      const typeOnly = node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
      add(node.moduleSpecifier, typeOnly ? "type" : "static");
    } else if (ts.isExportDeclaration(node)) {
      add(node.moduleSpecifier, node.isTypeOnly ? "type" : "static");
    } else if (ts.isImportTypeNode(node)) {
      add(ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined, "type");
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], "dynamic");
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest));
  return found;
}
