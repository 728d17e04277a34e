import { describe, expect, it } from "vitest";
import { confusionMatrix, reliabilityDiagram } from "../../src/ui/eval-charts.js";

describe("confusionMatrix", () => {
  const html = confusionMatrix({
    labels: ["a&b", "c", "other"],
    predictions: ["a&b", "c", "other", "unsure"],
    counts: [
      [3, 1, 0, 0],
      [0, 0, 0, 0],
      [0, 0, 2, 0],
    ],
  });

  it("links a wrong cell to its misses", () => {
    expect(html).toContain('<a href="#label=a%26b&amp;decision=c">1</a>');
  });

  it("leaves out what has no turns", () => {
    expect(html).not.toContain("unsure");
    expect(html).not.toContain("<tr><th>c</th>");
    expect(html).toContain("<th>a&amp;b</th>");
  });
});

describe("reliabilityDiagram", () => {
  const bin = (from: number, count: number, confidence: number, accuracy: number) => ({
    from,
    to: from + 0.1,
    count,
    confidence,
    accuracy,
  });

  it("has a dot for each bin with turns, the largest for the most", () => {
    const svg = reliabilityDiagram([bin(0, 0, 0, 0), bin(0.5, 100, 0.55, 0.4), bin(0.9, 25, 0.95, 1)]);
    expect(svg.match(/r="[\d.]+"/g)).toEqual(['r="10.0"', 'r="6.0"']);
    expect(svg).toContain("100 turns: said 55.0 %, was 40.0 %");
    expect(svg).not.toContain("NaN");
  });
});
