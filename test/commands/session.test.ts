import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { sessionId } from "../../src/commands/session.js";
import { type CliOptions, runCli, temporaryFolder } from "../helpers/run-cli.js";
import { userWith } from "../helpers/scripts.js";

const config = {
  routes: [
    { name: "alpha", description: "A", run: [["echo", "to alpha"]] },
    { name: "beta", description: "B", run: [["echo", "to beta"]] },
  ],
  other: { run: [["echo", "to other"]] },
};

/** A user whose sessions last for a test. */
function user(given: object = {}) {
  const env = userWith({ ...config, ...given });
  const sessions = join(env["XDG_STATE_HOME"] ?? "", "arch-route", "sessions");
  const cli = (args: readonly string[], options: CliOptions = {}) => runCli(args, { env, ...options });
  /** The route and what the session did, for each message in turn. */
  const talk = async (session: string, ...messages: string[]) => {
    const steps: string[] = [];
    for (const message of messages) {
      const { stdout } = await cli(["--json", "--session", session, message]);
      const { route, session: step } = JSON.parse(stdout) as { route: string; session: string };
      steps.push(`${route} ${step}`);
    }
    return steps;
  };
  return { env, sessions, cli, talk };
}

describe("sessionId", () => {
  const conversation = [
    { role: "assistant", content: "Hello!" },
    { role: "user", content: "one" },
    { role: "assistant", content: "two" },
    { role: "user", content: "three" },
  ] as const;

  it("is the given id, or the first user message for auto, and neither can be taken for the other", () => {
    expect(sessionId("a", conversation)).toBe("id:a");
    expect(sessionId("auto", conversation)).toBe("auto:one");
    expect(sessionId("auto", conversation.slice(0, 2))).toBe(sessionId("auto", conversation));
    expect(sessionId("auto", [{ role: "assistant", content: "Hello!" }])).toBe("auto:");
  });
});

describe("--session", () => {
  it.each<[string, string[], string[]]>([
    ["begins where the first message belongs", ["alpha"], ["alpha new"]],
    ["stays at a closing that fits nothing", ["alpha", "thanks!"], ["alpha new", "alpha kept"]],
    ["stays at the same topic", ["alpha", "alpha"], ["alpha new", "alpha kept"]],
    ["moves to another topic that is clear", ["alpha", "beta"], ["alpha new", "beta switched"]],
    ["stays if the other topic is not clear", ["alpha", "beta=0.6"], ["alpha new", "alpha kept"]],
    ["stays where it moved to", ["alpha", "beta", "thanks!"], ["alpha new", "beta switched", "beta kept"]],
    ["comes back", ["alpha", "beta", "alpha"], ["alpha new", "beta switched", "alpha switched"]],
    ["is not begun by what fits no route", ["hello", "alpha"], ["other new", "alpha new"]],
  ])("%s", async (_, messages, steps) => {
    expect(await user().talk("s", ...messages)).toEqual(steps);
  });

  it.each([
    [0.5, "beta=0.6", "alpha kept"],
    [0.3, "beta=0.6", "beta switched"],
    [0, "beta=0.4", "beta switched"],
    [1, "beta", "alpha kept"],
  ])("moves by the margin that the user set: %f, %s: %s", async (margin, message, step) => {
    expect(await user({ session_margin: margin }).talk("s", "alpha", message)).toEqual(["alpha new", step]);
  });

  it("stays at what is unsure, and at a closing it is matched, not other", async () => {
    const { talk, cli } = user({ min_confidence: 0.8 });
    expect(await talk("s", "alpha", "beta=0.7")).toEqual(["alpha new", "alpha kept"]);
    const { code, stdout } = await cli(["--json", "--require-route", "--session", "s", "thanks!"]);
    expect([code, JSON.parse(stdout)]).toMatchObject([0, { route: "alpha", outcome: "matched" }]);
  });

  it("keeps the sessions apart, by their ids", async () => {
    const { talk } = user();
    expect(await talk("a", "alpha")).toEqual(["alpha new"]);
    expect(await talk("b", "thanks!")).toEqual(["other new"]);
    expect(await talk("a", "thanks!")).toEqual(["alpha kept"]);
  });

  it("changes nothing without the option", async () => {
    const { talk, cli } = user();
    await talk("a", "alpha");
    const { stdout } = await cli(["--json", "thanks!"]);
    expect(JSON.parse(stdout)).toMatchObject({ route: "other" });
    expect(JSON.parse(stdout)).not.toHaveProperty("session");
  });

  it("dispatches where it stays", async () => {
    const { cli } = user();
    expect((await cli(["-x", "--session", "s", "alpha"])).stdout).toBe("to alpha\n");
    expect((await cli(["-x", "--session", "s", "thanks!"])).stdout).toBe("to alpha\n");
    expect((await cli(["-x", "thanks!"])).stdout).toBe("to other\n");
  });

  it("auto knows a chat by its first user message, however long it becomes", async () => {
    const { cli } = user();
    const chat = (...contents: string[]) =>
      JSON.stringify({
        messages: contents.map((content, index) => ({ role: index % 2 === 0 ? "user" : "assistant", content })),
      });
    const steps: string[] = [];
    for (const stdin of [
      chat("an alpha"),
      chat("an alpha", "yes?", "thanks!"),
      chat("another alpha", "yes?", "thanks!"),
      chat("an alpha", "yes?", "thanks!", "welcome", "bye"),
    ]) {
      const { stdout } = await cli(["--session", "auto"], { stdin });
      const { route, session } = JSON.parse(stdout) as { route: string; session: string };
      steps.push(`${route} ${session}`);
    }
    expect(steps).toEqual(["alpha new", "alpha kept", "other new", "alpha kept"]);
  });

  it("goes through the records of a batch in their order", async () => {
    const stdin = ["alpha", "thanks!", "beta", "thanks!"].map((prompt) => `${JSON.stringify({ prompt })}\n`).join("");
    const { stdout } = await user().cli(["--session", "s"], { stdin });
    const routes = stdout
      .split("\n")
      .slice(0, -1)
      .map((line) => (JSON.parse(line) as { route: string }).route);
    expect(routes).toEqual(["alpha", "alpha", "beta", "beta"]);
  });

  it("leaves nothing of the conversation on the disk, names of sessions and routes neither", async () => {
    const { talk, sessions, cli } = user();
    await talk("my-session", "alpha secret");
    await cli(["--session", "auto", "alpha secret"]);
    const names = readdirSync(sessions);
    expect(names).toHaveLength(2);
    for (const name of names) {
      expect(name).toMatch(/^[0-9a-f]{64}$/);
      expect(readFileSync(join(sessions, name), "utf8")).toMatch(/^[0-9a-f]{64}\n$/);
    }
  });

  it("is forgotten after a day", async () => {
    const { talk, sessions } = user();
    await talk("s", "alpha");
    const [name = ""] = readdirSync(sessions);
    const then = Date.now() / 1000 - 24 * 60 * 60 - 5;
    utimesSync(join(sessions, name), then, then);
    expect(await talk("s", "thanks!")).toEqual(["other new"]);
  });

  it("begins anew when its route is gone", async () => {
    const { talk, env } = user();
    await talk("s", "alpha");
    const path = join(env["XDG_CONFIG_HOME"] ?? "", "arch-route", "config.json");
    writeFileSync(path, JSON.stringify({ routes: [{ name: "gamma", description: "C" }] }));
    expect(await talk("s", "thanks!")).toEqual(["other new"]);
  });

  it("that cannot be remembered is a warning, and the routing goes on", async () => {
    const state = join(temporaryFolder(), "occupied");
    writeFileSync(state, "");
    const env = { ...userWith(config), XDG_STATE_HOME: state };
    const { code, stdout, stderr } = await runCli(["--session", "s", "alpha"], { env });
    expect([code, stdout]).toEqual([0, "alpha\n"]);
    expect(stderr).toMatch(/^arch-route: session: it cannot be remembered: [^\n]+\n$/);
    expect((await runCli(["-q", "--session", "s", "alpha"], { env })).stderr).toBe("");
  });

  it.skipIf(process.getuid?.() === 0)("in a read-only folder is the same", async () => {
    const state = temporaryFolder();
    mkdirSync(join(state, "arch-route"), { mode: 0o500 });
    const { code, stderr } = await runCli(["--session", "s", "alpha"], {
      env: { ...userWith(config), XDG_STATE_HOME: state },
    });
    expect([code, stderr]).toEqual([0, expect.stringContaining("it cannot be remembered")]);
  });

  it("warns once of a whole batch", async () => {
    const state = join(temporaryFolder(), "occupied");
    writeFileSync(state, "");
    const env = { ...userWith(config), XDG_STATE_HOME: state };
    const { code, stderr } = await runCli(["--session", "s"], { env, stdin: '{"prompt":"alpha"}\n'.repeat(5) });
    expect([code, stderr.split("\n").length]).toEqual([0, 2]);
  });

  it("may have any name", async () => {
    for (const id of ["../../../x", "a b", "é\n", "__proto__", "x".repeat(10_000)]) {
      expect(await user().talk(id, "alpha", "thanks!")).toEqual(["alpha new", "alpha kept"]);
    }
  });
});
