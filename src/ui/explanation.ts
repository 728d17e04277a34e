import stringWidth from "string-width";
import type { RankedRoute, Thresholds } from "../core/decision.js";
import { printable } from "../core/printable.js";
import type { ChalkInstance } from "./colour.js";
import type { Routed } from "./format.js";

const BAR = 24;
const eighths = [..." ▏▎▍▌▋▊▉"];

/** A decision for people: all candidates with bars, what led to it, and how far it is from the thresholds. */
export function formatExplanation(
  { routing }: Routed,
  chalk: ChalkInstance,
  top?: number,
  thresholds: Thresholds = {},
): string {
  const { ranking, route, outcome, confidence, margin, model, tokens, trimmed, inSet } = routing;
  const shown = ranking.slice(0, top).map((entry) => ({ ...entry, route: printable(entry.route) }));
  const width = Math.max(...shown.map((entry) => stringWidth(entry.route)));
  const lines = shown.map((entry) => explanationLine(entry, width, chalk, entry.route === route));
  const facts = [
    outcome === "matched"
      ? `matched ${printable(route)}`
      : outcome === "other"
        ? "no route fits"
        : "unsure: treated as other",
    ...(thresholds.minConfidence ? [`confidence ${distance(confidence, thresholds.minConfidence)}`] : []),
    `margin ${distance(margin, thresholds.minMargin)}`,
    `model ${printable(model)}`,
    `${tokens.prompt} tokens, ${tokens.cached} of them cached`,
    ...(inSet === undefined ? [] : [`in set ${inSet.toFixed(2)}`]),
    ...(trimmed ? ["trimmed: the model did not read all of the conversation"] : []),
  ];
  return `${lines.join("\n")}\n\n${chalk.dim(facts.join(" · "))}\n`;
}

function distance(value: number, threshold = 0): string {
  if (threshold === 0) return value.toFixed(2);
  const away = Math.abs(value - threshold).toFixed(2);
  return `${value.toFixed(2)} (${away} ${value < threshold ? "under" : "over"} the least, ${threshold})`;
}

function explanationLine(
  { route, probability }: RankedRoute,
  width: number,
  chalk: ChalkInstance,
  chosen: boolean,
): string {
  const name = route + " ".repeat(width - stringWidth(route));
  const percent = `${(probability * 100).toFixed(1)} %`.padStart(7);
  const line = `${chosen ? chalk.bold(name) : name}  ${percent}  ${bar(probability)}`;
  return (chosen ? chalk.green(line) : line).trimEnd();
}

function bar(share: number): string {
  const units = Math.round(share * BAR * 8);
  return "█".repeat(Math.floor(units / 8)) + (units % 8 === 0 ? "" : (eighths[units % 8] ?? ""));
}
