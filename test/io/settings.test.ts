import { describe, expect, it } from "vitest";
import { parseSetting } from "../../src/io/settings.js";

describe("parseSetting", () => {
  it.each([
    ["min_confidence", "0.5", 0.5],
    ["min_confidence", "1e-3", 0.001],
    ["history", "3", 3],
    ["history", "last", "last"],
    ["threads", "2", 2],
    ["cascade", "on", true],
    ["cascade", "0", false],
    ["model", "7", "7"],
    ["routes", "support", "support"],
  ] as const)("reads %s from %j", (key, text, value) => {
    expect(parseSetting(key, text, "--x")).toBe(value);
  });

  it.each([
    ["min_confidence", ""],
    ["min_confidence", " "],
    ["min_confidence", "50%"],
    ["min_margin", "Infinity"],
    ["history", "0"],
    ["history", "none"],
    ["threads", "two"],
    ["gpu", "on"],
    ["unicode", "no"],
    ["cascade", "perhaps"],
    ["cascade", "0.5"],
    ["cascade_margin", "1.1"],
    ["model", ""],
    ["routes", ""],
  ] as const)("refuses %s as %j, naming the flag or the variable", (key, text) => {
    const wrong = (origin: string, code: string) =>
      expect.objectContaining({ code, message: expect.stringContaining(`${origin} ${text}`) });
    expect(() => parseSetting(key, text, "--flag")).toThrow(wrong("--flag", "E_USAGE"));
    expect(() => parseSetting(key, text, "ARCH_ROUTE_X")).toThrow(wrong("ARCH_ROUTE_X", "E_CONFIG"));
  });
});
