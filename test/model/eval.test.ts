import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { createLlamaEngine } from "../../src/engine/llama.js";
import { embeddedModel } from "../../src/io/bundled.js";
import { runCli, temporaryFolder } from "../helpers/run-cli.js";

const labelled = [
  ["fix this bug", "bug_fixing"],
  ["write a python function that checks whether a number is prime", "code_generation"],
  ["make this SQL query faster, it takes 20 seconds on a million rows", "performance_optimization"],
  ["how do I authenticate against the Stripe API and list all customers?", "api_help"],
  ["what is the difference between a process and a thread?", "programming"],
  ["what should I cook for dinner tonight?", "other"],
] as const;

it("scores mini on the coding routes, and compares it with descriptions that mislead", async () => {
  const folder = temporaryFolder();
  const [rows, poor] = [join(folder, "rows.jsonl"), join(folder, "poor.json")];
  writeFileSync(rows, labelled.map(([prompt, route]) => `${JSON.stringify({ prompt, route })}\n`).join(""));
  const names = labelled.map(([, route]) => route).filter((route) => route !== "other");
  writeFileSync(poor, JSON.stringify({ routes: names.map((name) => ({ name, description: "Cooking dinner" })) }));
  const engine = await createLlamaEngine({ modelPath: embeddedModel.path, threads: 1, gpu: "off" });
  const shared = { ...engine, dispose: async () => undefined };
  try {
    const { stdout, code } = await runCli(["eval", rows, "--json", "--compare", poor], { engine: shared });
    const { accuracy, comparison, model } = JSON.parse(stdout);
    expect({ code, accuracy, model }).toEqual({ code: 0, accuracy: 1, model: "arch-route-mini" });
    expect(comparison).toMatchObject({ count: 6, own_accuracy: 1, left_out: 0 });
    expect(comparison.accuracy).toBeLessThan(1);
  } finally {
    await engine.dispose();
  }
});
