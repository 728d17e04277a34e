import { describe, expect, it } from "vitest";
import { createChalk } from "../../src/ui/colour.js";
import { formatExplanation } from "../../src/ui/explanation.js";
import { hostile, routed } from "../helpers/routed.js";

const visible = (text: string) => text.replaceAll("\u001b", "ESC");

describe("formatExplanation", () => {
  it("is a table with bars, wide characters counted as two", () => {
    expect(formatExplanation(routed(), createChalk(false))).toMatchInlineSnapshot(`
      "bug_fixing   91.2 %  █████████████████████▉
      日本          6.0 %  █▌
      other         2.8 %  ▋

      matched bug_fixing · margin 0.85 · model fake · 412 tokens, 231 of them cached
      "
    `);
  });

  it("has colours if asked for", () => {
    expect(visible(formatExplanation(routed(), createChalk(true), 2))).toMatchInlineSnapshot(`
      "ESC[32mESC[1mbug_fixingESC[22m   91.2 %  █████████████████████▉ESC[39m
      日本          6.0 %  █▌

      ESC[2mmatched bug_fixing · margin 0.85 · model fake · 412 tokens, 231 of them cachedESC[22m
      "
    `);
  });

  it.each([
    ["other", "no route fits"],
    ["unsure", "unsure: treated as other"],
  ] as const)("says that the outcome is %s", (outcome, expected) => {
    const text = formatExplanation(routed({ outcome, route: "other" }), createChalk(false));
    expect(text).toContain(`\n\n${expected} · margin 0.85`);
  });

  it("marks other where it is what was decided", () => {
    const text = visible(formatExplanation(routed({ outcome: "unsure", route: "other" }), createChalk(true)));
    expect(text).toMatch(/^bug_fixing {3}91\.2/);
    expect(text).toContain("ESC[1mother");
  });

  it("tells what else there is to know", () => {
    const text = formatExplanation(routed({ inSet: 0.5, trimmed: true }), createChalk(false));
    expect(text).toContain(" · in set 0.50 · trimmed: the model did not read all of the conversation\n");
  });

  it.each([
    [0, ""],
    [0.004, "▏"],
    [0.5, "████████████"],
    [1, "████████████████████████"],
  ])("draws %d as a bar", (probability, bar) => {
    const text = formatExplanation(routed({ ranking: [{ route: "a", probability }] }), createChalk(false));
    expect(text.split("\n")[0]?.split("%")[1]?.trim()).toBe(bar);
  });

  it("is without what a terminal might obey", () => {
    const more = { route: hostile, model: hostile, ranking: [{ route: hostile, probability: 1 }] };
    expect(formatExplanation(routed(more), createChalk(false))).toMatch(/^[\P{Cc}\n]*$/u);
  });

  it.each([
    [{ minConfidence: 0.5 }, "confidence 0.91 (0.41 over the least, 0.5) · margin 0.85 ·"],
    [
      { minConfidence: 0.95, minMargin: 0.9 },
      "confidence 0.91 (0.04 under the least, 0.95) · margin 0.85 (0.05 under the least, 0.9)",
    ],
    [{ minConfidence: 0, minMargin: 0 }, "matched bug_fixing · margin 0.85 ·"],
  ])("says how far %j is", (thresholds, text) => {
    expect(formatExplanation(routed(), createChalk(false), undefined, thresholds)).toContain(text);
  });
});
