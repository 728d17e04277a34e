import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readPlanoRoutes } from "../../src/io/plano.js";
import { folderWith } from "./temporary-files.js";

const read = (text: string) => readPlanoRoutes("plano.yaml", folderWith({ "plano.yaml": text }));

const inline = `
version: v0.1.0
listeners: {}
llm_providers:
  - model: openai/gpt-4o
    access_key: $OPENAI_API_KEY
    default: true
  - model: ollama/llama3.2
    base_url: http://localhost:11434
    routing_preferences:
      - name: code understanding
        description: understand and explain existing code snippets
      - name: casual
        description: small talk
  - model: anthropic/claude/v2
    routing_preferences:
      - name: bugs
        description: find bugs
`;

const topLevel = `
version: v0.4.0
model_providers:
  - model: openai/gpt-4o
routing_preferences:
  - name: code generation
    description: generating new code
    models:
      - ollama/qwen2.5-coder:7b
      - openai/gpt-4o
  - name: summaries
    description: summing up
`;

describe("readPlanoRoutes", () => {
  it("reads preferences under llm_providers, with the provider's model", async () => {
    expect(await read(inline)).toEqual([
      { name: "code understanding", description: "understand and explain existing code snippets", model: "llama3.2" },
      { name: "casual", description: "small talk", model: "llama3.2" },
      { name: "bugs", description: "find bugs", model: "claude/v2" },
    ]);
  });

  it("reads them under model_providers alike", async () => {
    expect(await read(inline.replace("llm_providers", "model_providers"))).toHaveLength(3);
  });

  it("reads preferences at the top, with the first of their models", async () => {
    expect(await read(topLevel)).toEqual([
      { name: "code generation", description: "generating new code", model: "qwen2.5-coder:7b" },
      { name: "summaries", description: "summing up" },
    ]);
  });

  it.each([
    ["an empty file", "", "there are no routing_preferences in it"],
    ["a file of something else", "a: 1", "there are no routing_preferences in it"],
    ["a list", "[1, 2]", "there are no routing_preferences in it"],
    ["preferences that are no list", "routing_preferences: yes", "there are no routing_preferences in it"],
    ["preferences of numbers", "routing_preferences: [1]", "the name is empty"],
    ["a preference without a description", "routing_preferences: [{name: a}]", 'the description of "a" is empty'],
    [
      "two of one name",
      "routing_preferences: [{name: a, description: A}, {name: a, description: B}]",
      'the name "a" is used twice',
    ],
    ["one that is called other", "routing_preferences: [{name: other, description: A}]", 'the name "other" is taken'],
    ["broken YAML", "a: [", "Flow sequence"],
  ])("refuses %s", async (_, text, message) => {
    await expect(read(text)).rejects.toMatchObject({ code: "E_CONFIG", message: expect.stringContaining(message) });
  });

  it("names a file that is not there", async () => {
    const folder = folderWith({});
    await expect(readPlanoRoutes("plano.yaml", folder)).rejects.toMatchObject({
      code: "E_CONFIG",
      message: `import ${join(folder, "plano.yaml")}: no such file`,
    });
  });

  it("does not unfold an alias bomb", async () => {
    const levels = Array.from({ length: 9 }, (_, i) => `l${i + 1}: &l${i + 1} [${`*l${i},`.repeat(9)}]`);
    await expect(read(`l0: &l0 [x]\n${levels.join("\n")}\nrouting_preferences: *l9\n`)).rejects.toMatchObject({
      code: "E_CONFIG",
    });
  });
});
