import { cpus, loadavg, release, totalmem, type } from "node:os";
import { median } from "./measure.mjs";

/** Rows as a Markdown table. A ratio is the median of the rounds' own ratios: what slows a machine down hits both sides. */
export function formatTable(rows) {
  const head = ["what", "model", "arch-route", "against", "ratio", "goal"];
  const lines = [head, head.map(() => "---"), ...rows.map(cells)];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  return lines
    .map((line, index) => `| ${line.map((cell, i) => cell.padEnd(widths[i], index === 1 ? "-" : " ")).join(" | ")} |\n`)
    .join("");
}

function cells({ what, model = "", unit, ours, peer, ratio, goal }) {
  const value = ({ name, values }) => `${name}: ${number(median(values))} ${unit}`;
  if (peer === undefined) return [what, model, value(ours), "", "", ""];
  const ratios = ratiosOf(ours.values, peer.values, ratio);
  const middle = median(ratios);
  const spread = `${number(middle)} (${number(Math.min(...ratios))} to ${number(Math.max(...ratios))}, n = ${ratios.length})`;
  return [what, model, value(ours), value(peer), spread, goal === undefined ? "" : verdict(middle, goal)];
}

/** One ratio a round, of the rounds that both took part in; `way` is ours/peer or peer/ours. */
export function ratiosOf(ours, peer, way) {
  const rounds = Math.min(ours.length, peer.length);
  return ours.slice(0, rounds).map((value, round) => (way === "ours/peer" ? value / peer[round] : peer[round] / value));
}

function verdict(ratio, { atLeast, atMost }) {
  const isReached = atLeast === undefined ? ratio <= atMost : ratio >= atLeast;
  return `${atLeast === undefined ? `≤ ${atMost}` : `≥ ${atLeast}`}: ${isReached ? "reached" : "missed"}`;
}

function number(value) {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** The machine in one line, but for its load. */
export function describeMachine() {
  const [{ model }] = cpus();
  return `${model.trim()}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release()}, Node ${process.version}`;
}

/** How many processes wanted to run during the last minute. */
export function load() {
  return loadavg()[0].toFixed(1);
}
