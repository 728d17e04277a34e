import { printable } from "../core/printable.js";

/** What a batch has done so far. */
export interface Tally {
  readonly records: number;
  readonly failed: number;
  readonly unsure: number;
  /** Decisions a route, `other` among them. */
  readonly routes: ReadonlyMap<string, number>;
  readonly seconds: number;
  /** Seconds that the rest will take at this rate; undefined where nobody knows how much there is. */
  readonly remaining?: number | undefined;
}

const MOST_ROUTES = 5;

/** How far a batch is: `1,204 records · 53/s · 12 min left · 3 unsure`. */
export function formatState({ records, unsure, seconds, remaining }: Tally): string {
  const parts = [`${records.toLocaleString("en")} records`, `${formatRate(records, seconds)}/s`];
  if (remaining !== undefined) parts.push(`${formatTime(remaining)} left`);
  if (unsure > 0) parts.push(`${unsure.toLocaleString("en")} unsure`);
  return parts.join(" · ");
}

/** The share of the most frequent routes: `code 40 %  other 12 %`. */
export function formatShares({ routes }: Tally): string {
  const all = [...routes.values()].reduce((sum, count) => sum + count, 0);
  const most = [...routes].sort((a, b) => b[1] - a[1]).slice(0, MOST_ROUTES);
  return most.map(([route, count]) => `${printable(route)} ${Math.round((100 * count) / all)} %`).join("  ");
}

/** What came of a batch, in one line. */
export function formatSummary(tally: Tally): string {
  const { records, failed, unsure, seconds } = tally;
  const took = `${records.toLocaleString("en")} records in ${formatTime(seconds)} (${formatRate(records, seconds)}/s)`;
  const parts = [took, formatShares(tally)];
  if (unsure > 0) parts.push(`${unsure.toLocaleString("en")} unsure`);
  if (failed > 0) parts.push(`${failed.toLocaleString("en")} failed`);
  return parts.filter((part) => part !== "").join(" · ");
}

function formatRate(records: number, seconds: number): string {
  const rate = seconds > 0 ? records / seconds : 0;
  return rate > 0 && rate < 10 ? rate.toFixed(1) : rate.toFixed(0);
}

function formatTime(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
