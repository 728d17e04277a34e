import { describe, expect, it } from "vitest";
import { cascadeCurve, cascaded } from "../../src/core/cascade-curve.js";
import { isRight, type ScoredTurn } from "../../src/core/evaluation.js";
import { scoredTurn } from "../helpers/scored-turn.js";

/** A turn that the small model decides with a margin, and that each model gets right (1) or not (0). */
type Turn = readonly [margin: number, small: 0 | 1, large: 0 | 1];

/** Probabilities in sixty-fourths, so that margins are what they look like. */
function turns(given: readonly Turn[]): { small: ScoredTurn[]; large: ScoredTurn[] } {
  const decided = (margin: number, right: number) => {
    const second = (1 - margin) / 2;
    return scoredTurn(right ? "a" : "b", { a: 1 - second, b: second });
  };
  return {
    small: given.map(([margin, right]) => decided(margin, right)),
    large: given.map(([, , right]) => decided(0.5, right)),
  };
}

function curve(...given: Turn[]) {
  const { small, large } = turns(given);
  return cascadeCurve(small, large);
}

const summary = ({ margin, sentUp, right }: { margin: number; sentUp: number; right: number }) => [
  margin,
  sentUp,
  right,
];

describe("the curve", () => {
  it("goes from the small model alone to the large one alone, the least sure turns sent up first", () => {
    const { points } = curve([0.75, 1, 1], [0.25, 0, 1], [0.5, 0, 1], [0.875, 1, 0]);
    expect(points.map(summary)).toEqual([
      [0, 0, 2],
      [0.5, 0.25, 3],
      [0.7, 0.5, 4],
      [0.8, 0.75, 4],
      [1, 1, 3],
    ]);
    expect(points.map(({ count, accuracy }) => [count, accuracy])).toEqual([0.5, 0.75, 1, 1, 0.75].map((a) => [4, a]));
  });

  it("says margins that do what it says", () => {
    const given = Array.from({ length: 60 }, (_, index): Turn => [((index * 37) % 61) / 64, index % 3 ? 1 : 0, 1]);
    const { small, large } = turns(given);
    const { points } = cascadeCurve(small, large);
    expect(points.length).toBeGreaterThan(10);
    for (const { margin, sentUp, right } of points) {
      expect(small.filter(({ decision }) => decision.margin < margin)).toHaveLength(Math.round(sentUp * 60));
      expect(cascaded(small, large, margin).filter(isRight)).toHaveLength(right);
    }
  });

  it("does not part turns of one margin", () => {
    const { points } = curve([0.5, 0, 1], [0.5, 1, 1], [0.5, 1, 1], [0.75, 1, 1]);
    expect(points.map(summary)).toEqual([
      [0, 0, 3],
      [0.7, 0.75, 4],
      [1, 1, 4],
    ]);
  });

  it("ends where no margin reaches", () => {
    expect(curve([0.5, 0, 1], [1, 0, 1]).points.map(summary)).toEqual([
      [0, 0, 0],
      [1, 0.5, 1],
    ]);
  });

  it("shows few of many margins, at even shares", () => {
    const many = Array.from({ length: 1000 }, (_, index): Turn => [index / 1024, 1, 1]);
    const shares = curve(...many).points.map(({ sentUp }) => sentUp);
    expect(shares).toEqual([0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]);
  });
});

describe("the recommendation", () => {
  it.each<[string, Turn[], number[]]>([
    [
      "none, where each is right where the other is not",
      [
        [0.25, 0, 1],
        [0.5, 1, 0],
        [0.75, 1, 1],
        [0.8125, 0, 0],
      ],
      [0, 0, 2],
    ],
    [
      "no more than it takes",
      [
        [0.25, 0, 1],
        [0.5, 0, 1],
        [0.75, 1, 1],
        [0.8125, 1, 1],
      ],
      [0.7, 0.5, 4],
    ],
    [
      "none, where the small model is as good",
      [
        [0.25, 1, 1],
        [0.5, 1, 0],
      ],
      [0, 0, 2],
    ],
    [
      "all, where nothing less will do",
      [
        [0.25, 0, 1],
        [0.5, 0, 1],
      ],
      [1, 1, 2],
    ],
    [
      "the most accurate one, where the large model is out of reach",
      [
        [0.5, 0, 1],
        [0.625, 1, 0],
        [0.75, 0, 1],
        [1, 0, 1],
      ],
      [0.6, 0.25, 2],
    ],
    ["one of the margins between the points that are shown", many(), [0.96, 0.96, 1000]],
  ])("is %s", (_, given, expected) => {
    expect(summary(curve(...given).recommended)).toEqual(expected);
  });
});

/** A thousand turns, of which the large model is needed for those with the 960 smallest margins. */
function many(): Turn[] {
  return Array.from({ length: 1000 }, (_, index): Turn => [index / 1000, index < 960 ? 0 : 1, 1]);
}

describe("a cascade of decisions", () => {
  it("takes the small model's from the margin on", () => {
    const { small, large } = turns([
      [0.5, 1, 1],
      [0.25, 1, 1],
    ]);
    expect(cascaded(small, large, 0.5)).toEqual([small[0], large[1]]);
  });

  it("counts an unsure decision as wrong, whoever is unsure", () => {
    const unsure = scoredTurn("a", { a: 0.625, b: 0.25 }, { minConfidence: 0.9 });
    const sure = scoredTurn("a", { a: 0.95, b: 0.05 });
    expect(cascadeCurve([unsure], [sure]).recommended).toMatchObject({ sentUp: 1, right: 1 });
    expect(cascadeCurve([sure], [unsure]).recommended).toMatchObject({ sentUp: 0, right: 1 });
  });
});
