import { calibrate, thresholdFor } from "../../src/core/calibration.js";
import { evaluate, isRight } from "../../src/core/evaluation.js";
import type { EvaluationReport, ReportedTurn } from "../../src/core/evaluation-report.js";
import { scoredTurn } from "./scored-turn.js";

const place = { source: "rows.jsonl", line: 3, turn: 1 };
const turn = (content: string, scored: ReturnType<typeof scoredTurn>): ReportedTurn => ({
  ...place,
  ...scored,
  conversation: [{ role: "user", content }],
});

/** A report on five turns: two right, one wrong, one refused, one unsure; `hostile` stands in names and texts. */
export function evaluationReport(hostile = ""): EvaluationReport {
  const [a, b] = [`a${hostile}`, "b"];
  const turns = [
    turn("first", scoredTurn(a, { [a]: 0.92, b: 0.05 })),
    turn("second", scoredTurn(b, { [a]: 0.1, b: 0.85 })),
    turn(`third ${hostile}`, scoredTurn(a, { [a]: 0.2, b: 0.75 })),
    turn("fourth", scoredTurn(b, { [a]: 0.1, b: 0.2 })),
    turn("fifth", scoredTurn(b, { [a]: 0.3, b: 0.4 }, { minConfidence: 0.5 })),
  ];
  const contrast = { count: 5, right: 3, accuracy: 0.6, interval: { low: 0.2, high: 0.9 }, lost: 0, won: 1, pValue: 1 };
  return {
    model: "fake",
    routes: "routes.yaml",
    records: 5,
    failed: 1,
    evaluation: evaluate(
      turns.map((one) => [one]),
      [a, b],
    ),
    calibration: calibrate(turns),
    latency: { mean: 2, p50: 1.5, p90: 3, p99: 4 },
    threshold: { target: 0.9, found: thresholdFor(turns, 0.9) },
    histories: [{ history: "last", ...contrast }],
    comparison: { reference: `other${hostile}.yaml`, own: 0.4, leftOut: 2, ...contrast },
    cascade: {
      model: "small",
      small: { count: 5, right: 1, accuracy: 0.2 },
      large: { count: 5, right: 2, accuracy: 0.4 },
      points: [
        { margin: 0, sentUp: 0, count: 5, right: 1, accuracy: 0.2 },
        { margin: 0.125, sentUp: 0.2, count: 5, right: 3, accuracy: 0.6 },
        { margin: 1, sentUp: 1, count: 5, right: 2, accuracy: 0.4 },
      ],
      recommended: { margin: 0.125, sentUp: 0.2, ...contrast },
    },
    misses: turns.filter((one) => !isRight(one)),
  };
}
