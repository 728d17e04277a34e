import { describe, expect, it } from "vitest";
import { archRouterFile, parseReference, pullCommand, quantisations } from "../../src/io/model-table.js";

describe("parseReference", () => {
  it.each([
    ["mini", { kind: "mini" }],
    ["arch-router", { kind: "arch-router", quantisations }],
    ["arch-router:q8_0", { kind: "arch-router", quantisations: ["q8_0"] }],
    ["arch-router:Q4_K_M", { kind: "arch-router", quantisations: ["q4_k_m"] }],
    ["hf:a/B.c/d-e_F.gguf", { kind: "hub", repository: "a/B.c", file: "d-e_F.gguf" }],
    ["hf:a/b/X.GGUF", { kind: "hub", repository: "a/b", file: "X.GGUF" }],
    ["./x.gguf", { kind: "path", path: "./x.gguf" }],
    ["C:\\x.gguf", { kind: "path", path: "C:\\x.gguf" }],
    ["http://example.org/x.gguf", { kind: "path", path: "http://example.org/x.gguf" }],
    ["anything", { kind: "path", path: "anything" }],
  ])("reads %s", (text, meant) => {
    expect(parseReference(text)).toEqual(meant);
  });

  it.each([
    "",
    "a\0b",
    "arch-router:",
    "arch-router:q9",
    "arch-router:q8_0:x",
    "hf:",
    "hf:a",
    "hf:a/b",
    "hf:a/b/c",
    "hf:../b/c.gguf",
    "hf:a/b/c/d.gguf",
    "hf:a/b/..gguf",
    "hf:a b/c/d.gguf",
  ])("refuses %j", (text) => {
    expect(() => parseReference(text)).toThrow(expect.objectContaining({ code: "E_CONFIG" }));
  });
});

it("names files as their makers do, and the command that fetches them", () => {
  expect(archRouterFile("q4_k_m")).toBe("Arch-Router-1.5B-Q4_K_M.gguf");
  expect(pullCommand()).toBe("arch-route models pull arch-router:q4_k_m");
  expect(pullCommand("f16")).toBe("arch-route models pull arch-router:f16");
});
