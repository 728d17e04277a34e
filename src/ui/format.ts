import type { ArchRouteError } from "../core/errors.js";
import { jsonLine, printable } from "../core/printable.js";
import type { Target } from "../core/route.js";
import type { Routing } from "../core/router.js";
import type { SessionStep } from "../core/session.js";

/** A routed record, as it is printed. */
export interface Routed {
  /** The input's id as JSON text, as it was written. */
  readonly id?: string | undefined;
  readonly routing: Routing;
  /** What stands behind the route; printed if there is anything. */
  readonly target?: Target | undefined;
  /** What the session did to the decision. */
  readonly session?: SessionStep | undefined;
  /** What became of the route's command, if it was run and its output kept. */
  readonly executed?: Executed | undefined;
}

/** A command that was run for a record, or why none was. */
export type Executed =
  | { readonly error: ArchRouteError }
  | {
      readonly command: readonly string[];
      readonly exitCode: number;
      readonly signal: string | undefined;
      readonly output?: string;
      /** The command wrote more than what is kept. */
      readonly isCut?: boolean;
    };

/** A record that could not be routed. */
export interface Failed {
  readonly id?: string | undefined;
  /** Where the record began in its source, from 1. */
  readonly line: number;
  readonly error: ArchRouteError;
}

export type Result = Routed | Failed;

/** How many candidates a result shows; undefined: all in JSON, the best one's name elsewhere. */
type Top = number | undefined;

/** A result as one line of JSON, described by routes/schema.json under `$defs`. */
export function formatJson(result: Result, top?: Top): string {
  if ("error" in result) return withId({ line: result.line }, { error: errorJson(result.error) }, result.id);
  const { route, outcome, confidence, margin, ranking, model, tokens, inSet, trimmed } = result.routing;
  return withId(
    {},
    {
      route,
      outcome,
      confidence: rounded(confidence),
      margin: rounded(margin),
      ranking: ranking.slice(0, top).map((entry) => ({ route: entry.route, probability: rounded(entry.probability) })),
      ...(hasTarget(result.target) && { target: targetJson(result.target) }),
      model,
      tokens,
      ...(inSet !== undefined && { in_set: rounded(inSet) }),
      trimmed,
      ...(result.session && { session: result.session }),
      ...(result.executed && executedJson(result.executed)),
    },
    result.id,
  );
}

/** The id is spliced in as text: a number with more digits than a double holds stays as it was written. */
function withId(before: object, after: object, id: string | undefined): string {
  const open = jsonLine(before).slice(1, -1);
  const idText = id === undefined ? "" : `"id":${id.startsWith('"') ? jsonLine(JSON.parse(id)) : id}`;
  return `{${[open, idText, jsonLine(after).slice(1, -1)].filter((part) => part !== "").join(",")}}`;
}

function hasTarget(target: Target | undefined): target is Target {
  return target?.model !== undefined || target?.run !== undefined;
}

function targetJson({ model, run }: Target): object {
  return { ...(model !== undefined && { model }), ...(run?.[0] && { command: run[0] }) };
}

function executedJson(executed: Executed): object {
  if ("error" in executed) return { exec: { error: errorJson(executed.error) } };
  const { command, exitCode, signal, output, isCut } = executed;
  return {
    exec: { command, exit_code: exitCode, ...(signal !== undefined && { signal }) },
    output,
    ...(isCut && { output_cut: true }),
  };
}

/** Two runs of a model agree in about three digits (engine notes 1e): more would be noise. */
function rounded(probability: number): number {
  return Number(probability.toFixed(3));
}

/**
 * A result as names only. With `top`: name and probability apart by a tab, each candidate on its own line, or all on
 * one line where a line stands for a record. A failed record is an empty line: no route has that name.
 */
export function formatPlain(result: Result, top: Top, oneLine: boolean): string {
  if ("error" in result) return "\n";
  const { route, ranking } = result.routing;
  if (top === undefined) return `${printable(route)}\n`;
  const entries = ranking.slice(0, top).map((entry) => `${printable(entry.route)}\t${entry.probability.toFixed(3)}`);
  return `${entries.join(oneLine ? "\t" : "\n")}\n`;
}

/** An error as one line for stderr: what: why; what to do. */
export function formatError(error: ArchRouteError): string {
  return formatNote(describe(error));
}

/** Anything else to say on stderr, as one line. */
export function formatNote(message: string): string {
  return `arch-route: ${printable(message).replace(/\s*\n\s*/g, " ")}\n`;
}

function errorJson(error: ArchRouteError): object {
  return { code: error.code, message: describe(error) };
}

function describe({ pointer, message, hint }: ArchRouteError): string {
  const where = pointer === undefined ? "" : `${pointer || "/"}: `;
  return `${where}${message}${hint === undefined ? "" : `; ${hint}`}`;
}
