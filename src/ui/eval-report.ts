import stringWidth from "string-width";
import type { Evaluation, RouteFigures, Share } from "../core/evaluation.js";
import type { CascadeSweep, Comparison, Contrast, EvaluationReport, ReportedTurn } from "../core/evaluation-report.js";
import { excerpt, printable } from "../core/printable.js";
import type { ChalkInstance } from "./colour.js";

const BAR = 20;
const MOST_MISSES = 20;
const MOST_NAME = 28;

/** A report for people, at most `width` columns wide if that is 60 or more. */
export function formatEvaluation(report: EvaluationReport, chalk: ChalkInstance, width: number): string {
  const columns = Math.max(60, width);
  const sections = [
    summary(report, chalk),
    routeTable(report.evaluation, chalk),
    confusions(report.evaluation, chalk, columns),
    calibration(report, chalk),
    contrasts(report, chalk),
    cascade(report, chalk),
    misses(report, chalk, columns),
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n")}\n`;
}

function summary({ evaluation, model, routes, failed, latency }: EvaluationReport, chalk: ChalkInstance): string[] {
  const { turns, spans, conversations, interval, other, unsure, answered, macroF1 } = evaluation;
  const several = turns.count > conversations.count;
  return [
    `${chalk.bold(`accuracy ${percent(turns.accuracy)}`)}  ${bar(turns.accuracy, chalk.green)}  ${ofAll(turns)}, 95 % interval ${percent(interval.low).trim()} to ${percent(interval.high).trim()}`,
    ...(several
      ? [`spans    ${percent(spans.accuracy)}  ${ofAll(spans)} runs of turns with one label, all right`]
      : []),
    ...(several
      ? [`whole    ${percent(conversations.accuracy)}  ${ofAll(conversations)} conversations, all turns right`]
      : []),
    `macro F1 ${macroF1.toFixed(3)}`,
    `other    ${other.labelled} labelled so, ${other.routed} of them routed; ${other.refused} of a route refused`,
    ...(unsure.count === 0
      ? []
      : [
          `unsure   ${unsure.count}, the best guess of ${unsure.bestGuessRight} right; the rest: ${percent(answered.accuracy).trim()} right`,
        ]),
    chalk.dim(
      `model ${printable(model)} · routes from ${printable(routes)} · ${latency.p50.toFixed(1)} ms a turn (p90 ${latency.p90.toFixed(1)}, p99 ${latency.p99.toFixed(1)})${failed > 0 ? ` · ${failed} records not scored` : ""}`,
    ),
  ];
}

function routeTable({ routes }: Evaluation, chalk: ChalkInstance): string[] {
  const shown = routes.filter(({ support, predicted }) => support + predicted > 0);
  const width = Math.max(5, ...shown.map(({ route }) => stringWidth(name(route))));
  const row = ({ route, precision, recall, f1, support }: RouteFigures) =>
    `${pad(name(route), width)}  ${cell(precision)}  ${cell(recall)}  ${cell(f1)}  ${bar(f1 ?? 0, chalk.cyan)}  ${support}`;
  const head = `${pad("route", width)}  precis  recall      f1  ${" ".repeat(BAR)}  labelled`;
  return [chalk.dim(head), ...shown.map(row)];
}

/** The whole matrix if it fits, and what is most often taken for what. */
function confusions({ confusion }: Evaluation, chalk: ChalkInstance, columns: number): string[] {
  const { labels, predictions, counts } = confusion;
  const cells = labels.flatMap((label, row) =>
    predictions.map((prediction, column) => ({ label, prediction, row, column, count: counts[row]?.[column] ?? 0 })),
  );
  const wrong = cells
    .filter(({ row, column, count }) => row !== column && count > 0)
    .sort((a, b) => b.count - a.count)
    .slice(0, 8)
    .map(
      ({ label, prediction, count }) =>
        `${String(count).padStart(5)}  ${name(label)} ${chalk.dim("→")} ${name(prediction)}`,
    );
  const matrix = matrixLines(confusion, chalk);
  const fits = labels.length <= 12 && matrix.every((line) => stringWidth(line) <= columns);
  return [
    ...(fits ? [chalk.dim("rows: label, columns: decision"), ...matrix] : []),
    ...(wrong.length > 0 ? [...(fits ? [""] : []), chalk.dim("most often confused"), ...wrong] : []),
  ];
}

function matrixLines({ labels, predictions, counts }: Evaluation["confusion"], chalk: ChalkInstance): string[] {
  const used = predictions.flatMap((_, column) => (counts.some((row) => row[column]) ? [column] : []));
  const left = Math.max(...labels.map((label) => stringWidth(name(label))));
  const digits = 1 + Math.max(3, ...counts.flat().map((count) => String(count).length));
  // Columns have numbers for names: the names themselves would not fit.
  const head = used.map((column) => String(column + 1).padStart(digits)).join("");
  const rows = labels.map((label, row) => {
    const values = used.map((column) => {
      const count = counts[row]?.[column] ?? 0;
      const text = (count === 0 ? "·" : String(count)).padStart(digits);
      return count === 0 ? chalk.dim(text) : row === column ? chalk.green(text) : chalk.red(text);
    });
    return `${String(row + 1).padStart(2)} ${pad(name(label), left)}${values.join("")}`;
  });
  const unsure = used.includes(labels.length) ? [chalk.dim(`${labels.length + 1} unsure`)] : [];
  return [chalk.dim(`${" ".repeat(left + 3)}${head}`), ...rows, ...unsure];
}

function calibration({ calibration: fit, threshold }: EvaluationReport, chalk: ChalkInstance): string[] {
  const { ece, temperature, bins } = fit;
  const lines = bins
    .filter(({ count }) => count > 0)
    .map(
      ({ from, to, count, confidence, accuracy }) =>
        `${from.toFixed(1)}-${to.toFixed(1)}  said ${percent(confidence)}  was ${percent(accuracy)}  ${bar(accuracy, chalk.cyan)}  ${count}`,
    );
  const fitted = `temperature ${temperature.value.toFixed(2)} would bring it to ${temperature.ece.toFixed(3)}`;
  return [
    chalk.dim(`calibration: expected error ${ece.toFixed(3)}; ${fitted}`),
    ...lines,
    ...(threshold ? ["", thresholdLine(threshold)] : []),
  ];
}

function thresholdLine({ target, found }: NonNullable<EvaluationReport["threshold"]>): string {
  if (found === undefined) return `no min_confidence reaches a precision of ${percent(target).trim()} on these turns`;
  const { minConfidence, precision, coverage } = found;
  return `min_confidence: ${minConfidence} gives a precision of ${percent(precision).trim()} and routes ${percent(coverage).trim()} of the turns`;
}

function contrasts({ histories, comparison, evaluation }: EvaluationReport, chalk: ChalkInstance): string[] {
  const rows = (histories ?? []).map((row) => `history ${String(row.history).padEnd(5)} ${contrastLine(row)}`);
  return [
    ...(rows.length > 0
      ? [chalk.dim(`against the settings in force (${percent(evaluation.turns.accuracy).trim()})`), ...rows]
      : []),
    ...(comparison ? [...(rows.length > 0 ? [""] : []), ...comparisonLines(comparison, chalk)] : []),
  ];
}

function comparisonLines(comparison: Comparison, chalk: ChalkInstance): string[] {
  const { reference, own, leftOut, count } = comparison;
  const out = leftOut > 0 ? `; ${leftOut} left out, their labels are no routes there` : "";
  return [
    chalk.dim(`compared with ${printable(reference)} on ${count} turns${out}`),
    `this  ${percent(own)}  ${bar(own, chalk.cyan)}`,
    `that  ${contrastLine(comparison)}`,
  ];
}

function contrastLine(contrast: Contrast): string {
  return `${percent(contrast.accuracy)}  ${wonAndLost(contrast)}`;
}

function wonAndLost({ lost, won, pValue }: Contrast): string {
  if (won + lost === 0) return "the same turns right";
  const p = pValue < 0.001 ? "p < 0.001" : `p = ${pValue.toFixed(3)}`;
  return `${won} won, ${lost} lost (McNemar ${p}${pValue < 0.05 ? "" : ": may be chance"})`;
}

function cascade({ cascade: sweep, model }: EvaluationReport, chalk: ChalkInstance): string[] {
  if (sweep === undefined) return [];
  const { points, small, large, recommended } = sweep;
  const [first, second] = [printable(sweep.model), printable(model)];
  const width = Math.max(6, ...points.map(({ margin }) => String(margin).length));
  const rows = points.map(
    ({ margin, sentUp, accuracy }) =>
      `${String(margin).padEnd(width)}  ${percent(sentUp)}  ${percent(accuracy)}  ${bar(accuracy, chalk.cyan)}`,
  );
  return [
    chalk.dim(`cascade: ${first} decides from a margin on, ${second} gets the rest`),
    chalk.dim(`${"margin".padEnd(width)}  sent up    right`),
    ...rows,
    `alone: ${first} ${percent(small.accuracy).trim()}, ${second} ${percent(large.accuracy).trim()}, of ${large.count} turns`,
    "",
    ...recommendation(recommended, second),
    chalk.dim("it was chosen on these turns: score it on others, with --cascade, before you count on it"),
  ];
}

function recommendation(point: CascadeSweep["recommended"], large: string): string[] {
  const { margin, sentUp, accuracy, interval } = point;
  const bounds = `95 % interval ${percent(interval.low).trim()} to ${percent(interval.high).trim()}`;
  return [
    `cascade_margin: ${margin} sends ${percent(sentUp).trim()} up: ${percent(accuracy).trim()} right, ${bounds}`,
    `against ${large} alone: ${wonAndLost(point)}`,
  ];
}

function misses({ misses: all }: EvaluationReport, chalk: ChalkInstance, columns: number): string[] {
  if (all.length === 0) return [];
  const lines = all.slice(0, MOST_MISSES).flatMap((turn) => missLines(turn, chalk, columns));
  const more = all.length - MOST_MISSES;
  return [
    chalk.dim(`wrong: ${all.length}`),
    ...lines,
    ...(more > 0 ? [chalk.dim(`and ${more} more: --json and --html have them all`)] : []),
  ];
}

function missLines(
  { source, line, label, decision, conversation }: ReportedTurn,
  chalk: ChalkInstance,
  columns: number,
): string[] {
  const best = decision.ranking.slice(0, 2).map(({ route, probability }) => `${name(route)} ${probability.toFixed(2)}`);
  const unsure = decision.outcome === "unsure" ? "unsure: " : "";
  const prompt = conversation.findLast(({ role }) => role === "user")?.content ?? "";
  return [
    `${chalk.dim(`${printable(source)}:${line}`)}  ${chalk.green(name(label))} ${chalk.dim("but")} ${unsure}${best.join(", ")}`,
    `  ${excerpt(prompt, columns - 4)}`,
  ];
}

function ofAll({ right, count }: Share): string {
  return `${right} of ${count}`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`.padStart(7);
}

function cell(value: number | undefined): string {
  return (value === undefined ? "–" : value.toFixed(3)).padStart(6);
}

function name(route: string): string {
  return excerpt(route, MOST_NAME);
}

function pad(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - stringWidth(text)));
}

function bar(share: number, paint: (text: string) => string): string {
  const full = Math.round(share * BAR);
  return `${paint("█".repeat(full))}${"░".repeat(BAR - full)}`;
}
