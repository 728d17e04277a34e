import { expect, it } from "vitest";
import { escapeHtml, percent } from "../../src/ui/html.js";

it.each([
  ["<b>", "&lt;b&gt;"],
  [`"it's" & more`, "&quot;it&#39;s&quot; &amp; more"],
  ["&lt;", "&amp;lt;"],
])("escapeHtml %s", (text, html) => {
  expect(escapeHtml(text)).toBe(html);
});

it("percent", () => {
  expect(percent(0.1234)).toBe("12.3 %");
});
