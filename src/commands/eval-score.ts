import { performance } from "node:perf_hooks";
import { mean, quantileSorted } from "simple-statistics";
import { ArchRouteError } from "../core/errors.js";
import type { Latency, ReportedTurn } from "../core/evaluation-report.js";
import type { Route } from "../core/route.js";
import type { Router } from "../core/router.js";
import type { FailedRow, LabelledRow } from "./eval-rows.js";

/** A record with a decision for each of its turns. */
export interface ScoredRow {
  readonly row: LabelledRow;
  readonly turns: readonly ReportedTurn[];
}

/** What came of scoring: all records, or those up to an interrupt. */
export interface Scoring {
  readonly scored: readonly ScoredRow[];
  readonly failures: readonly FailedRow[];
  /** Milliseconds, one a turn. */
  readonly times: readonly number[];
}

export interface ScoreOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called after each record. */
  readonly onRow?: (row: ScoredRow | FailedRow) => Promise<void>;
}

/** Routes every turn of every row, one after the other, until there are no more or `signal` aborts. */
export async function scoreRows(
  rows: readonly LabelledRow[],
  router: Router,
  { signal, onRow }: ScoreOptions = {},
): Promise<Scoring> {
  const scored: ScoredRow[] = [];
  const failures: FailedRow[] = [];
  const times: number[] = [];
  for (const row of rows) {
    if (signal?.aborted) break;
    const result = await scoreRow(row, router, times);
    if ("error" in result) failures.push(result);
    else scored.push(result);
    await onRow?.(result);
  }
  return { scored, failures, times };
}

async function scoreRow(row: LabelledRow, router: Router, times: number[]): Promise<ScoredRow | FailedRow> {
  const { source, line, id } = row;
  const turns: ReportedTurn[] = [];
  try {
    for (const [index, { conversation, label }] of row.turns.entries()) {
      const started = performance.now();
      const decision = await router.route(conversation, row.routes);
      times.push(performance.now() - started);
      turns.push({ source, line, turn: index + 1, id, conversation, label, decision });
    }
  } catch (error) {
    if (!(error instanceof ArchRouteError)) throw error;
    return { source, line, error };
  }
  return { row, turns };
}

/** Names of all routes that were to choose from, the configured ones first, unless no record used them. */
export function routeNames(scored: readonly ScoredRow[], routes: readonly Route[]): string[] {
  const sets = new Set(scored.map(({ row }) => row.routes ?? routes));
  const ordered = [...(sets.has(routes) ? [routes] : []), ...sets];
  return [...new Set(ordered.flatMap((set) => set.map(({ name }) => name)))];
}

/** Milliseconds (one or more) → their mean and percentiles. */
export function summariseTimes(times: readonly number[]): Latency {
  const sorted = times.toSorted((a, b) => a - b);
  const quantile = (share: number) => quantileSorted(sorted, share);
  return { mean: mean(sorted), p50: quantile(0.5), p90: quantile(0.9), p99: quantile(0.99) };
}
