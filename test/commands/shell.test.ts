import { describe, expect, it } from "vitest";
import { runCli } from "../helpers/run-cli.js";
import { folderWith } from "../io/temporary-files.js";

describe("completion", () => {
  it.each(["bash", "zsh", "fish", "powershell"])(
    "prints a script for %s that knows commands and options",
    async (shell) => {
      const { code, stdout, stderr } = await runCli(["completion", shell]);
      expect([code, stderr]).toEqual([0, ""]);
      for (const word of ["routes", "config", "trust", "completion", "alias", "import", "powershell", "init"]) {
        expect(stdout).toContain(word);
      }
      const { stdout: help } = await runCli(["--help"]);
      const options = [...help.matchAll(/^ {2}(?:-\w, )?--([\w-]+)/gm)].map(([, name = ""]) => name);
      expect(options.length).toBeGreaterThan(20);
      // Every shell has its own help and version.
      for (const name of options) if (!["help", "version"].includes(name)) expect(stdout).toContain(name);
      expect(stdout).not.toContain("undefined");
      expect(stdout.endsWith("\n")).toBe(true);
    },
  );

  it("lists what a script asks for when it is used", async () => {
    expect(await runCli(["completion", "--list", "routes"])).toMatchObject({
      ...{ code: 0, stderr: "" },
      stdout: expect.stringMatching(/^(?:.*\n)*coding\n/),
    });
    const { stdout } = await runCli(["completion", "--list", "models"]);
    expect(stdout.split("\n")).toEqual(expect.arrayContaining(["mini", "arch-router", "arch-router:q4_k_m"]));
  });

  it.each([
    [["completion"], "no shell is named"],
    [["completion", "tcsh"], "tcsh: unknown shell; use one of bash, zsh, fish, powershell"],
    [["completion", "__proto__"], "unknown shell"],
    [["completion", "--list", "secrets"], "there is no such list"],
    [["alias", "powershell"], "powershell: unknown shell; use one of bash, zsh, fish"],
    [["alias"], "shell"],
  ])("%j is a mistake with one line to say", async (args, message) => {
    const { code, stdout, stderr } = await runCli(args);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^arch-route: [^\n]+\n$/);
    expect(stderr).toContain(message);
  });

  it("neither reads the configuration nor opens a model", async () => {
    const cwd = folderWith({ ".arch-route.yaml": "routes: [" });
    let opened = 0;
    for (const args of [
      ["completion", "bash"],
      ["completion", "--list", "routes"],
      ["alias", "zsh"],
    ]) {
      expect((await runCli(args, { cwd, onOpen: () => opened++ })).code).toBe(0);
    }
    expect(opened).toBe(0);
  });
});

describe("alias", () => {
  it.each(["bash", "zsh", "fish"])("prints a function ask for %s", async (shell) => {
    const { code, stdout, stderr } = await runCli(["alias", shell]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^function ask/m);
    expect(stdout).toContain("command arch-route -x");
  });
});
