import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runCli, temporaryFolder } from "../helpers/run-cli.js";

describe("tune", () => {
  it.each([
    ["stdin is piped", { stdin: "x", stdoutIsTerminal: true }],
    ["stdout is piped", { stdoutIsTerminal: false }],
    ["the terminal is dumb", { stdoutIsTerminal: true, env: { TERM: "dumb" } }],
  ])("says what to do when %s", async (_, options) => {
    expect(await runCli(["tune"], options)).toEqual({
      code: 2,
      stdout: "",
      stderr:
        "arch-route: tune: there is no terminal; run it in one; scripts edit the route file, then run arch-route routes check and arch-route eval\n",
    });
  });

  it.each([
    ["no report", "{}", /there are no misses in it; make it with: arch-route eval/],
    ["not JSON", "{", /it ends too early/],
    ["a label that is no route", '{"misses":[{"prompt":"x","expected":"poetry"}]}', /there is no route "poetry"/],
  ])("refuses --misses with %s", async (_, text, message) => {
    const path = join(temporaryFolder(), "report.json");
    writeFileSync(path, text);
    const { code, stderr } = await runCli(["tune", "--misses", path], { stdoutIsTerminal: true });
    expect(stderr).toMatch(message);
    expect(code).toBeGreaterThan(1);
  });
});
