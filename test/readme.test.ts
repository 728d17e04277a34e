import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { exitCodes } from "../src/core/errors.js";
import { bundledRouteNames } from "../src/io/bundled.js";
import { parseConfig } from "../src/io/config-file.js";
import { settingKeys } from "../src/io/settings.js";
import { runCli } from "./helpers/run-cli.js";

const readme = readFileSync("README.md", "utf8");
const blocks = (language: string) =>
  [...readme.matchAll(new RegExp(`^\\\`\\\`\\\`${language}\\n([\\s\\S]*?)^\\\`\\\`\\\``, "gm"))].map(
    ([, text]) => text ?? "",
  );

describe("the README", () => {
  it("has the options as --help prints them", async () => {
    const { stdout } = await runCli(["--help"]);
    expect(blocks("text")).toContain(stdout);
  });

  it("names every setting and every shipped route set", () => {
    for (const name of [...settingKeys, ...bundledRouteNames()]) expect(readme).toContain(`\`${name}\``);
  });

  it("has every exit code in its table", () => {
    for (const code of new Set(Object.values(exitCodes))) expect(readme).toMatch(new RegExp(`^\\| ${code} +\\|`, "m"));
  });

  it("shows configurations that the program accepts", () => {
    const configurations = blocks("yaml").filter((text) => !Array.isArray(parse(text)));
    expect(configurations.length).toBeGreaterThan(1);
    for (const text of configurations) expect(() => parseConfig("README.md", text)).not.toThrow();
  });

  it("says one test command, the one that CI runs in its check", () => {
    const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> };
    expect(blocks("sh").map((text) => text.trim())).toContain("npm test");
    expect(scripts["check"]).toContain("npm test");
    expect(readFileSync(".ci/run", "utf8")).toContain("npm run check");
  });
});
