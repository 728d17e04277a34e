import { describe, expect, it } from "vitest";
import { createChalk } from "../../src/ui/colour.js";
import { type Finding, formatFinding } from "../../src/ui/format-doctor.js";

const finding: Finding = { what: "cache", state: "warning", detail: "others may write", advice: "run chmod" };

describe("formatFinding", () => {
  it.each<[Finding, string]>([
    [finding, "warning  cache: others may write\n         run chmod\n"],
    [{ ...finding, state: "problem" }, "problem  cache: others may write\n         run chmod\n"],
    [{ ...finding, state: "ok", advice: null }, "ok       cache: others may write\n"],
    [{ ...finding, state: "ok", advice: null, detail: "a\n\x1b]0;x\x07b" }, "ok       cache: a b\n"],
  ])("writes %j", (value, text) => {
    expect(formatFinding(value, createChalk(false))).toBe(text);
  });

  it("has colours", () => {
    expect(formatFinding(finding, createChalk(true))).toContain("\x1b[33mwarning\x1b[39m");
  });
});
