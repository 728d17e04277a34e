import { expect, it } from "vitest";
import { formatEvaluationJson } from "../../src/ui/eval-json.js";
import { evaluationReport } from "../helpers/evaluation-report.js";

it("is one line with the accuracy as a number at the top", () => {
  const text = formatEvaluationJson(evaluationReport());
  expect(text).not.toContain("\n");
  const { misses, calibration, ...rest } = JSON.parse(text);
  expect(Object.keys(rest)).toMatchInlineSnapshot(`
    [
      "accuracy",
      "interval",
      "model",
      "routes_from",
      "records",
      "failed",
      "turns",
      "spans",
      "conversations",
      "macro_f1",
      "routes",
      "confusion",
      "other",
      "unsure",
      "answered",
      "latency_ms",
      "threshold",
      "histories",
      "cascade",
      "comparison",
    ]
  `);
  expect(rest).toMatchObject({ accuracy: 0.4, failed: 1, turns: { count: 5, right: 2, accuracy: 0.4 } });
  expect(rest.cascade).toEqual({
    small: { model: "small", count: 5, right: 1, accuracy: 0.2 },
    large: { count: 5, right: 2, accuracy: 0.4 },
    points: [
      { margin: 0, sent_up: 0, count: 5, right: 1, accuracy: 0.2 },
      { margin: 0.125, sent_up: 0.2, count: 5, right: 3, accuracy: 0.6 },
      { margin: 1, sent_up: 1, count: 5, right: 2, accuracy: 0.4 },
    ],
    recommended: {
      ...{ margin: 0.125, sent_up: 0.2, count: 5, right: 3, accuracy: 0.6, lost: 0, won: 1, p_value: 1 },
      interval: { level: 0.95, low: 0.2, high: 0.9 },
    },
  });
  expect(calibration.bins).toHaveLength(10);
  expect(misses[0]).toEqual({
    source: "rows.jsonl",
    line: 3,
    turn: 1,
    expected: "a",
    route: "b",
    outcome: "matched",
    ranking: [
      { route: "b", probability: 0.75 },
      { route: "a", probability: 0.2 },
    ],
    conversation: [{ role: "user", content: "third " }],
  });
});

it("says null where nothing can be computed", () => {
  const report = evaluationReport();
  const { threshold, calibration } = JSON.parse(
    formatEvaluationJson({ ...report, threshold: { target: 1, found: undefined } }),
  );
  expect(threshold).toEqual({ target_precision: 1, min_confidence: null, precision: null, coverage: null });
  expect(calibration.bins[0]).toEqual({ from: 0, to: 0.1, count: 0, confidence: null, accuracy: null });
});
