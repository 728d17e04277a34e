import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createFakeEngine } from "../helpers/fake-engine.js";
import { runCli, temporaryFolder } from "../helpers/run-cli.js";

const set = (text: string) => {
  const path = join(temporaryFolder(), "routes.yaml");
  writeFileSync(path, text);
  return path;
};
const vague = set(
  "- {name: billing, description: Billing}\n- {name: parcels, description: 'Tracking numbers, delivery dates, couriers'}\n",
);

describe("routes check", () => {
  it("is silent on a good set but for one line, and asks no model with --static", async () => {
    const opened: unknown[] = [];
    const result = await runCli(["routes", "check", "--static"], { onOpen: () => opened.push(1) });
    expect(result).toEqual({ code: 0, stdout: "ok: 5 routes from default\n", stderr: "" });
    expect(opened).toEqual([]);
  });

  it("prints the fault and the edit, and exits with 1", async () => {
    const { code, stdout } = await runCli(["routes", "check", "--static", "-r", vague]);
    expect(code).toBe(1);
    expect(stdout).toMatchInlineSnapshot(`
      "billing: the description hardly says more than the name (vague)
        edit: name three or more things that its prompts mention: "Billing: …, … and …"
      "
    `);
  });

  it("prints JSON", async () => {
    const { stdout } = await runCli(["routes", "check", "--static", "--json", "-r", vague]);
    expect(JSON.parse(stdout)).toMatchObject({
      routes: 2,
      routes_from: "--routes",
      findings: [{ routes: ["billing"], kind: "vague", fix: expect.any(String) }],
    });
  });

  it("asks the model too, and frees it", async () => {
    const engine = createFakeEngine();
    const { stdout, code } = await runCli(["routes", "check"], { engine });
    expect(code).toBe(1);
    expect(stdout).toMatch(/read as a prompt, its own description finds no route/);
    expect(engine.disposed()).toBe(true);
  });

  it("still refuses a file that cannot be read", async () => {
    const result = await runCli(["routes", "check", "-r", set("routes: []\nrotes: 1\n")]);
    expect(result).toMatchObject({ code: 2, stdout: "", stderr: expect.stringMatching(/rotes/) });
  });
});
