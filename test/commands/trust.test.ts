import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runCli, temporaryFolder } from "../helpers/run-cli.js";
import { addFiles, folderWith } from "../io/temporary-files.js";

const file = (command: string) => `command: [${command}, "{model}"]
other: {model: small}
model: arch-router:q8_0
min_confidence: 0.5
routes:
  - {name: code, description: Code, model: coder}
  - {name: talk, description: Talk, run: [[talker]]}
`;

/** A project, and runs in it that share what was trusted. */
function project(files: Readonly<Record<string, string>>) {
  const [cwd, state] = [folderWith(files), temporaryFolder()];
  const env = { XDG_STATE_HOME: state, XDG_CONFIG_HOME: state };
  return { cwd, cli: (...args: string[]) => runCli(args, { cwd, env }) };
}

describe("an untrusted project file", () => {
  it("chooses routes and thresholds, but neither commands nor models, and one warning says so", async () => {
    const { cwd, cli } = project({ ".arch-route.yaml": file("rm") });
    const { code, stdout, stderr } = await cli("--json", "some code");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ route: "code", outcome: "matched" });
    expect(JSON.parse(stdout)).not.toHaveProperty("target");
    expect(stderr).toBe(
      `arch-route: ${cwd}/.arch-route.yaml: not trusted: its commands and models are ignored; read it, then run arch-route trust\n`,
    );
    expect(JSON.parse((await cli("--json", "code=0.4")).stdout)).toMatchObject({ outcome: "unsure" });
  });

  it("does not choose the model that is loaded", async () => {
    const cwd = folderWith({ ".arch-route.yaml": file("rm") });
    const models: unknown[] = [];
    await runCli(["some code"], { cwd, onOpen: (config) => models.push(config.model) });
    expect(models).toEqual([undefined]);
  });

  it("warns once for a whole batch, and not if quiet", async () => {
    const cwd = folderWith({ ".arch-route.yaml": file("rm") });
    const stdin = '{"prompt":"code"}\n'.repeat(5);
    expect((await runCli([], { cwd, stdin })).stderr.split("\n")).toHaveLength(2);
    expect((await runCli(["-q"], { cwd, stdin })).stderr).toBe("");
  });
});

describe("trust", () => {
  it("shows what the file may run or load, then lets it", async () => {
    const { cwd, cli } = project({ ".arch-route.yaml": file("echo") });
    const { code, stdout, stderr } = await cli("trust");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout.replaceAll(cwd, "PROJECT")).toMatchInlineSnapshot(`
      "model: "arch-router:q8_0"
      command: ["echo","{model}"]
      other: {"model":"small"}
      code: model: "coder"
      talk: run: [["talker"]]
      trusted: PROJECT/.arch-route.yaml
      "
    `);
    const target = async (...args: string[]) => {
      const result = await cli("--json", ...args);
      expect(result.stderr).toBe("");
      return (JSON.parse(result.stdout) as { target?: unknown }).target;
    };
    expect(await target("some code")).toEqual({ model: "coder", command: ["echo", "coder"] });
    expect(await target("some talk")).toEqual({ command: ["talker"] });
    expect(await target("neither")).toEqual({ model: "small", command: ["echo", "small"] });
    expect(await target("code=0.4")).toEqual({ model: "small", command: ["echo", "small"] });
  });

  it("ends when the file changes, and comes back with the old contents", async () => {
    const { cwd, cli } = project({ ".arch-route.yaml": file("echo") });
    await cli("trust");
    expect((await cli("some code")).stderr).toBe("");
    addFiles(cwd, { ".arch-route.yaml": file("rm") });
    expect((await cli("some code")).stderr).toContain("not trusted");
    addFiles(cwd, { ".arch-route.yaml": file("echo") });
    expect((await cli("some code")).stderr).toBe("");
  });

  it("covers the route set that the file names", async () => {
    const set = (command: string) => JSON.stringify({ routes: [{ name: "code", description: "C", run: [[command]] }] });
    const { cwd, cli } = project({ ".arch-route.yaml": "routes: set.json", "set.json": set("echo") });
    expect((await cli("trust")).stdout).toContain('code: run: [["echo"]]');
    expect((await cli("--json", "code")).stdout).toContain('"command":["echo"]');
    addFiles(cwd, { "set.json": set("rm") });
    const { stdout, stderr } = await cli("--json", "code");
    expect(stdout).not.toContain("rm");
    expect(stderr).toContain("not trusted");
  });

  it("finds the file of a folder above, up to the repository's root", async () => {
    const top = folderWith({ "repo/.git/HEAD": "", "repo/.arch-route.yaml": file("echo"), "repo/a/file": "" });
    expect((await runCli(["trust"], { cwd: join(top, "repo/a") })).stdout).toContain(
      `trusted: ${top}/repo/.arch-route.yaml`,
    );
  });

  it("has nothing to trust where there is no file", async () => {
    const { code, stdout, stderr } = await runCli(["trust"]);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toBe(
      "arch-route: trust: there is no .arch-route.yaml here or above; arch-route routes init writes one\n",
    );
  });

  it("does not trust what is broken", async () => {
    const { cli } = project({ ".arch-route.yaml": "routes: [" });
    expect(await cli("trust")).toMatchObject({ code: 2, stdout: "" });
  });

  it("says so if it cannot be recorded", async () => {
    const cwd = folderWith({ ".arch-route.yaml": file("echo"), occupied: "" });
    const { code, stdout, stderr } = await runCli(["trust"], { cwd, env: { XDG_STATE_HOME: join(cwd, "occupied") } });
    expect(code).toBe(6);
    expect(stdout).not.toContain("trusted:");
    expect(stderr).toContain("arch-route: trust: cannot be recorded: ");
  });
});
