import type { Bin, Calibration } from "../core/calibration.js";
import type { CascadePoint } from "../core/cascade-curve.js";
import type { Evaluation, Share } from "../core/evaluation.js";
import type { CascadeSweep, Comparison, Contrast, EvaluationReport, ReportedTurn } from "../core/evaluation-report.js";
import { jsonLine } from "../core/printable.js";

/**
 * A report as one line of JSON. `accuracy` is a number; shares are 0 to 1, times milliseconds; what cannot be computed
 * (the precision of a route that was never predicted) is null. Each miss is itself a labelled record, which `eval` reads.
 */
export function formatEvaluationJson(report: EvaluationReport): string {
  const { evaluation, calibration, latency, threshold, histories, cascade, comparison } = report;
  return jsonLine({
    accuracy: rounded(evaluation.turns.accuracy),
    interval: interval(evaluation.interval),
    model: report.model,
    routes_from: report.routes,
    records: report.records,
    failed: report.failed,
    turns: share(evaluation.turns),
    spans: share(evaluation.spans),
    conversations: share(evaluation.conversations),
    ...figures(evaluation),
    calibration: {
      ...errorsOf(calibration),
      bins: calibration.bins.map(bin),
      temperature: { value: rounded(calibration.temperature.value), ...errorsOf(calibration.temperature) },
    },
    latency_ms: Object.fromEntries(Object.entries(latency).map(([key, value]) => [key, rounded(value)])),
    ...(threshold && { threshold: thresholdJson(threshold) }),
    ...(histories && { histories: histories.map(({ history, ...rest }) => ({ history, ...contrast(rest) })) }),
    ...(cascade && { cascade: cascadeJson(cascade) }),
    ...(comparison && { comparison: comparisonJson(comparison) }),
    misses: report.misses.map(miss),
  });
}

function figures({ macroF1, routes, confusion, other, unsure, answered }: Evaluation): object {
  return {
    macro_f1: rounded(macroF1),
    routes: routes.map(({ precision, recall, f1, ...rest }) => ({
      ...rest,
      precision: known(precision),
      recall: known(recall),
      f1: known(f1),
    })),
    confusion,
    other,
    unsure: { count: unsure.count, best_guess_right: unsure.bestGuessRight },
    answered: share(answered),
  };
}

function thresholdJson({ target, found }: NonNullable<EvaluationReport["threshold"]>): object {
  return {
    target_precision: target,
    min_confidence: found ? found.minConfidence : null,
    precision: known(found?.precision),
    coverage: known(found?.coverage),
  };
}

function cascadeJson({ model, small, large, points, recommended }: CascadeSweep): object {
  const place = ({ margin, sentUp }: CascadePoint) => ({ margin, sent_up: rounded(sentUp) });
  return {
    small: { model, ...share(small) },
    large: share(large),
    points: points.map((point) => ({ ...place(point), ...share(point) })),
    recommended: { ...place(recommended), ...contrast(recommended) },
  };
}

function comparisonJson({ reference, own, leftOut, ...rest }: Comparison): object {
  return { reference, own_accuracy: rounded(own), left_out: leftOut, ...contrast(rest) };
}

function contrast({ interval: bounds, lost, won, pValue, ...rest }: Contrast): object {
  return { ...share(rest), interval: interval(bounds), lost, won, p_value: pValue };
}

function miss({ source, line, turn, id, label, decision, conversation }: ReportedTurn): object {
  return {
    source,
    line,
    turn,
    ...(id !== undefined && { id: JSON.parse(id) as unknown }),
    expected: label,
    route: decision.route,
    outcome: decision.outcome,
    ranking: decision.ranking.slice(0, 2).map((entry) => ({ ...entry, probability: rounded(entry.probability) })),
    conversation,
  };
}

function share({ count, right, accuracy }: Share): Share {
  return { count, right, accuracy: rounded(accuracy) };
}

function interval({ low, high }: { readonly low: number; readonly high: number }): object {
  return { level: 0.95, low: rounded(low), high: rounded(high) };
}

function errorsOf({ ece, nll }: Omit<Calibration, "bins">): object {
  return { ece: rounded(ece), nll: rounded(nll) };
}

function bin({ from, to, count, confidence, accuracy }: Bin): object {
  const filled = count > 0;
  return {
    from,
    to,
    count,
    confidence: filled ? rounded(confidence) : null,
    accuracy: filled ? rounded(accuracy) : null,
  };
}

function known(value: number | undefined): number | null {
  return value === undefined ? null : rounded(value);
}

function rounded(value: number): number {
  return Number(value.toFixed(6));
}
