import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runCli } from "../helpers/run-cli.js";
import { folderWith } from "../io/temporary-files.js";

const setUp = () => {
  const cwd = folderWith({
    ".arch-route.yaml":
      "min_confidence: 0.25\ncommand: [rm]\nroutes: [{name: a, description: A}, {name: b, description: B}]\n",
  });
  const home = folderWith({ "arch-route/config.yaml": "min_margin: 0.125\nmodel: mini\n" });
  return { cwd, home, options: { cwd, env: { XDG_CONFIG_HOME: home, ARCH_ROUTE_GPU: "off" } } };
};

describe("config", () => {
  it("prints every setting and where it came from", async () => {
    const { cwd, home, options } = setUp();
    const { code, stdout, stderr } = await runCli(["config", "--threads", "2"], options);
    expect(code).toBe(0);
    expect(stdout.replaceAll(cwd, "PROJECT").replaceAll(home, "HOME")).toMatchInlineSnapshot(`
      "engine: llama  # default
      url: (none)  # default
      model: mini  # HOME/arch-route/config.yaml
      routes: ["a","b"]  # PROJECT/.arch-route.yaml
      other: (none)  # default
      command: (none)  # default
      min_confidence: 0.25  # PROJECT/.arch-route.yaml
      min_margin: 0.125  # HOME/arch-route/config.yaml
      history: all  # default
      unicode: raw  # default
      gpu: off  # ARCH_ROUTE_GPU
      threads: 2  # --threads
      context: 4096  # default
      cascade: false  # default
      cascade_margin: 0.5  # default
      "
    `);
    expect(stderr).toBe(
      `arch-route: ${join(cwd, ".arch-route.yaml")}: not trusted: its commands and models are ignored; read it, then run arch-route trust\n`,
    );
  });

  it("prints the same as JSON", async () => {
    const { cwd, home, options } = setUp();
    const { stdout } = await runCli(["config", "--json", "--threads", "2"], options);
    expect(JSON.parse(stdout)).toEqual({
      engine: { value: "llama", origin: "default" },
      url: { value: null, origin: "default" },
      model: { value: "mini", origin: `${home}/arch-route/config.yaml` },
      routes: { value: ["a", "b"], origin: `${cwd}/.arch-route.yaml` },
      other: { value: null, origin: "default" },
      command: { value: null, origin: "default" },
      min_confidence: { value: 0.25, origin: `${cwd}/.arch-route.yaml` },
      min_margin: { value: 0.125, origin: `${home}/arch-route/config.yaml` },
      history: { value: "all", origin: "default" },
      unicode: { value: "raw", origin: "default" },
      gpu: { value: "off", origin: "ARCH_ROUTE_GPU" },
      threads: { value: 2, origin: "--threads" },
      context: { value: 4096, origin: "default" },
      cascade: { value: false, origin: "default" },
      cascade_margin: { value: 0.5, origin: "default" },
    });
  });

  it("follows a change of each layer", async () => {
    const { options } = setUp();
    const gpu = async (args: readonly string[], env = {}) => {
      const { stdout } = await runCli(["config", "--json", ...args], { ...options, env: { ...options.env, ...env } });
      return (JSON.parse(stdout) as Record<string, unknown>)["gpu"];
    };
    expect(await gpu([])).toEqual({ value: "off", origin: "ARCH_ROUTE_GPU" });
    expect(await gpu(["--gpu", "cuda"])).toEqual({ value: "cuda", origin: "--gpu" });
  });

  it("shows a server, and the model that it is asked for", async () => {
    const args = ["config", "--engine", "openai", "--url", "https://host:8000", "-m", "katanemo/Arch-Router-1.5B"];
    const { stdout } = await runCli(args, { env: { ARCH_ROUTE_API_KEY: "secret" } });
    expect(stdout.split("\n").slice(0, 3)).toEqual([
      "engine: openai  # --engine",
      "url: https://host:8000/v1/  # --url",
      "model: katanemo/Arch-Router-1.5B  # --model",
    ]);
    expect(stdout).not.toContain("secret");
  });

  it.each([
    ["a flag", ["config", "--gpu", "voodoo"], {}],
    ["a variable", ["config"], { ARCH_ROUTE_GPU: "voodoo" }],
  ])("refuses %s that is wrong", async (_, args, env) => {
    const { code, stdout, stderr } = await runCli(args, { env });
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain("voodoo");
  });
});
