import { describe, expect, it } from "vitest";
import type { RouteOptions } from "../../src/commands/options.js";
import { contentHash, resumeCommand, settingsOf } from "../../src/commands/resume.js";
import { resolveConfig } from "../../src/io/config.js";
import { differences } from "../../src/io/journal.js";
import { temporaryFolder } from "../helpers/run-cli.js";

const options = (given: Partial<RouteOptions> = {}): RouteOptions => ({
  format: "auto",
  maxRecordBytes: 1000,
  jobs: 1,
  maxOutputBytes: 1000,
  ...given,
});
const home = temporaryFolder();
const io = { env: { HOME: home, XDG_CONFIG_HOME: home }, cwd: () => home };
const config = await resolveConfig({}, io);

describe("settingsOf", () => {
  const usual = settingsOf(config, options(), "fake");

  it("is text that shows no route and no command", async () => {
    const secret = { ...config, routes: { ...config.routes, command: ["curl", "-H", "secret"] } };
    const text = JSON.stringify(settingsOf(secret, options({ session: "secret" }), "fake"));
    expect(text).not.toMatch(/secret|bug_fixing/);
    expect(JSON.parse(text)).toMatchObject({ model: "fake", format: "auto", min_confidence: "0" });
  });

  it.each<[string, Partial<RouteOptions>]>([
    ["the number of jobs", { jobs: 4 }],
    ["--require-route", { requireRoute: true }],
    ["--halt", { halt: { when: "soon", failures: 1 } }],
    ["--quiet", { quiet: true }],
    ["where the output goes", { output: "elsewhere" }],
    ["where the input is", { input: ["elsewhere"] }],
  ])("does not know %s, on which no result depends", (_, given) => {
    expect(settingsOf(config, options(given), "fake")).toEqual(usual);
  });

  it.each<[string, Partial<RouteOptions>]>([
    ["top", { top: 2 }],
    ["output", { explain: true }],
    ["format", { format: "lines" }],
    ["max_record_bytes", { maxRecordBytes: 7 }],
  ])("knows %s", (name, given) => {
    expect(differences(settingsOf(config, options(given), "fake"), usual)).toEqual([name]);
  });

  it.each([
    ["routes", { routes: "support" }],
    ["min_margin", { min_margin: "0.2" }],
    ["history", { history: "3" }],
    ["unicode", { unicode: "escape" }],
    ["context", { context: "1024" }],
  ])("knows the setting %s", async (name, flags) => {
    expect(differences(settingsOf(await resolveConfig(flags, io), options(), "fake"), usual)).toEqual([name]);
  });
});

describe("resumeCommand", () => {
  it.each<[string[], Partial<RouteOptions>, string]>([
    [["-i", "a", "-o", "b"], {}, "arch-route -i a -o b --resume"],
    [["-i", "a b", "-o", "$x"], {}, "arch-route -i 'a b' -o '$x' --resume"],
    [["-i", "a", "-o", "b", "--resume"], { resume: true }, "arch-route -i a -o b --resume"],
    [["--resume-changed", "-i", "a", "-o", "b"], { resumeChanged: true }, "arch-route --resume-changed -i a -o b"],
    [["-o", "b", "-i", "a", "--"], {}, "arch-route -o b -i a --resume --"],
    [["-i", "a", "-o", "b", "-"], {}, "arch-route -i a -o b - --resume, and the same input"],
  ])("of %j", (commandLine, given, command) => {
    expect(resumeCommand(options({ commandLine, input: ["a"], ...given }))).toBe(command);
  });

  it("says that what was piped in is needed again", () => {
    expect(resumeCommand(options({ commandLine: ["-o", "b"] }))).toBe("arch-route -o b --resume, and the same input");
  });
});

describe("contentHash", () => {
  it("is the beginning of what a command gets as ARCH_ROUTE_ID", () => {
    expect(contentHash({ source: "a", line: 1, format: "jsonl", text: "x" })).toMatch(/^[0-9a-f]{32}$/);
  });
});
