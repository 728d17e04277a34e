import type { Bin } from "../core/calibration.js";
import type { Confusion } from "../core/evaluation.js";
import { printable } from "../core/printable.js";
import { escapeHtml, percent } from "./html.js";

/**
 * The confusion matrix as a table; a cell's shade is its share of the label's turns, and a wrong cell links to its misses
 * (`#label=…&decision=…`). Rows and columns without any turn are left out.
 */
export function confusionMatrix({ labels, predictions, counts }: Confusion): string {
  const sums = counts.map((row) => row.reduce((sum, count) => sum + count, 0));
  const columns = predictions.flatMap((_, column) =>
    counts.some((row) => row[column]) || sums[column] ? [column] : [],
  );
  const name = (text: string | undefined) => escapeHtml(printable(text ?? ""));
  const cell = (row: number, column: number) => {
    const count = counts[row]?.[column] ?? 0;
    if (count === 0) return "<td></td>";
    const hash = new URLSearchParams({ label: labels[row] ?? "", decision: predictions[column] ?? "" });
    const text = row === column ? String(count) : `<a href="#${escapeHtml(hash.toString())}">${count}</a>`;
    return `<td${row === column ? ' class="right"' : ""}>${text}${shade(count / (sums[row] ?? 1))}</td>`;
  };
  const head = columns.map((column) => `<th>${name(predictions[column])}</th>`).join("");
  const rows = labels.flatMap((label, row) =>
    sums[row] ? [`<tr><th>${name(label)}</th>${columns.map((column) => cell(row, column)).join("")}</tr>`] : [],
  );
  return `<table class="matrix"><thead><tr><td></td>${head}</tr></thead><tbody>${rows.join("")}</tbody></table>`;
}

/** A bar as long as the share: the page's policy allows no style of an element's own. */
function shade(share: number): string {
  const width = Math.max(1, Math.round(share * 40));
  return `<svg width="40" height="4" viewBox="0 0 40 4" aria-hidden="true"><rect width="${width}" height="4" fill="#0969da"/></svg>`;
}

const SIDE = 260;
const LEFT = 40;
const TOP = 10;

/** The reliability diagram as SVG: what was right against what was promised; the area of a dot goes with its turns. */
export function reliabilityDiagram(bins: readonly Bin[]): string {
  const most = Math.max(1, ...bins.map(({ count }) => count));
  const x = (share: number) => (LEFT + share * SIDE).toFixed(1);
  const y = (share: number) => (TOP + (1 - share) * SIDE).toFixed(1);
  const filled = bins.filter(({ count }) => count > 0);
  const line = filled.map(({ confidence, accuracy }) => `${x(confidence)},${y(accuracy)}`).join(" ");
  const dots = filled.map(
    ({ confidence, accuracy, count }) =>
      `<circle cx="${x(confidence)}" cy="${y(accuracy)}" r="${(2 + 8 * Math.sqrt(count / most)).toFixed(1)}" fill="#0969da" fill-opacity=".6"><title>${count} turns: said ${percent(confidence)}, was ${percent(accuracy)}</title></circle>`,
  );
  const ticks = [0, 0.5, 1].map(
    (share) =>
      `<text x="${x(share)}" y="${TOP + SIDE + 15}" text-anchor="middle">${share}</text><text x="${LEFT - 6}" y="${y(share)}" text-anchor="end" dominant-baseline="middle">${share}</text>`,
  );
  return `<svg role="img" aria-label="reliability diagram" width="${LEFT + SIDE + 20}" height="${TOP + SIDE + 40}">
<rect x="${LEFT}" y="${TOP}" width="${SIDE}" height="${SIDE}" fill="none" stroke="currentColor" stroke-opacity=".3"/>
<line x1="${x(0)}" y1="${y(0)}" x2="${x(1)}" y2="${y(1)}" stroke="currentColor" stroke-dasharray="4 4" stroke-opacity=".5"/>
<polyline points="${line}" fill="none" stroke="#0969da"/>${dots.join("")}${ticks.join("")}
<text x="${x(0.5)}" y="${TOP + SIDE + 32}" text-anchor="middle">confidence</text>
<text x="12" y="${y(0.5)}" text-anchor="middle" transform="rotate(-90 12 ${y(0.5)})">right</text></svg>`;
}
