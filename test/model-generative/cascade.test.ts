import { execFile, execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { temporaryFolder } from "../helpers/run-cli.js";

// The program as it is shipped: the script of these tests builds it first.
const bin = fileURLToPath(new URL("../../bin/arch-route.js", import.meta.url));
const env = {
  HOME: temporaryFolder(),
  PATH: process.env["PATH"] ?? "",
  ARCH_ROUTE_THREADS: "1",
  ARCH_ROUTE_GPU: "off",
};
/** What mini is sure of on the coding routes, and what it is not. */
const rows = [
  { id: 1, prompt: "fix this bug", route: "bug_fixing" },
  { id: 2, prompt: "code", route: "programming" },
  { id: 3, prompt: "make this SQL query faster, it takes 20 seconds", route: "performance_optimization" },
];
const margin = "0.9";

let large: string;
let name: string;
let log: string;

beforeAll(() => {
  const fetch = fileURLToPath(new URL("fetch.mjs", import.meta.url));
  large = process.env["ARCH_ROUTE_TEST_MODEL"] ?? execFileSync(process.execPath, [fetch], { encoding: "utf8" }).trim();
  name = basename(large, ".gguf");
  log = join(temporaryFolder(), "log.jsonl");
  writeFileSync(log, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
});

/** A process of its own: its exit code and output. */
function arch(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [bin, ...args],
      { env, cwd: temporaryFolder() },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
      },
    );
    // What is piped in comes before the words: there is nothing.
    child.stdin?.end();
  });
}

describe("the cascade of mini and a generative model", () => {
  it("decides each record of a batch with the model that the margin says, as that model does alone", async () => {
    const batch = async (...args: string[]) => {
      const { code, stdout } = await arch("-i", log, "-q", ...args);
      expect(code).toBe(0);
      const records = stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      return records.map(({ id, model, ranking }) => ({ id, model, ranking }));
    };
    const mini = await batch("-m", "mini");
    const alone = await batch("-m", large);
    expect(await batch("-m", large, "--cascade-margin", margin)).toEqual([mini[0], alone[1], mini[2]]);
    expect([mini[0]?.model, alone[1]?.model]).toEqual(["arch-route-mini", name]);
  });

  it("loads the larger model of a single routing only if it is needed", async () => {
    const routed = async (prompt: string) => {
      const { stdout, stderr } = await arch("--explain", "-m", large, "--cascade-margin", margin, prompt);
      return { model: / model (\S+)/.exec(stdout)?.[1], stderr };
    };
    // The first thing that this model does is to want to answer something else.
    expect(await routed("code")).toEqual({ model: name, stderr: expect.stringContaining("it is probably no router") });
    expect(await routed("fix this bug")).toEqual({ model: "arch-route-mini", stderr: "" });
  });

  it("has its margin found by eval", async () => {
    const { code, stdout } = await arch("eval", log, "--sweep-cascade", "-m", large, "--json", "-q");
    expect(code).toBe(0);
    const { accuracy, model, cascade } = JSON.parse(stdout);
    expect(model).toBe(name);
    expect(cascade.small).toMatchObject({ model: "arch-route-mini", count: 3 });
    expect(cascade.large).toMatchObject({ count: 3, accuracy });
    expect(cascade.points[0]).toMatchObject({ margin: 0, sent_up: 0, accuracy: cascade.small.accuracy });
    expect(cascade.points.at(-1)).toMatchObject({ sent_up: 1, accuracy });
    expect(cascade.recommended.accuracy).toBeGreaterThanOrEqual(accuracy);
  });
});
