import { expect, it } from "vitest";
import { createChalk } from "../../src/ui/colour.js";
import { formatFindings } from "../../src/ui/findings.js";

const ESC = String.fromCharCode(27);
const finding = { routes: ["a", `b${ESC}[2J`], kind: "overlap", message: "alike", fix: "merge them" } as const;

it("a fault and its edit", () => {
  expect(formatFindings([finding, finding], createChalk(false))).toBe(
    "a, b: alike (overlap)\n  edit: merge them\n".repeat(2),
  );
  expect(formatFindings([finding], createChalk(true))).toContain(`${ESC}[1ma${ESC}[22m`);
});
