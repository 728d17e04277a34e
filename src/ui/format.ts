import { Chalk, type ChalkInstance } from "chalk";
import stringWidth from "string-width";
import type { RankedRoute } from "../core/decision.js";
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

const BAR = 24;
const eighths = [..." ▏▎▍▌▋▊▉"];

/** A decision for people: all candidates with bars, and what led to it. */
export function formatExplanation({ routing }: Routed, chalk: ChalkInstance, top?: Top): string {
  const { ranking, route, outcome, margin, model, tokens, trimmed, inSet } = routing;
  const shown = ranking.slice(0, top).map((entry) => ({ ...entry, route: printable(entry.route) }));
  const width = Math.max(...shown.map((entry) => stringWidth(entry.route)));
  const lines = shown.map((entry) => explanationLine(entry, width, chalk, entry.route === route));
  const facts = [
    outcome === "matched"
      ? `matched ${printable(route)}`
      : outcome === "other"
        ? "no route fits"
        : "unsure: treated as other",
    `margin ${margin.toFixed(2)}`,
    `model ${printable(model)}`,
    `${tokens.prompt} tokens, ${tokens.cached} of them cached`,
    ...(inSet === undefined ? [] : [`in set ${inSet.toFixed(2)}`]),
    ...(trimmed ? ["trimmed: the model did not read all of the conversation"] : []),
  ];
  return `${lines.join("\n")}\n\n${chalk.dim(facts.join(" · "))}\n`;
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

/** Colours, or the same calls without effect. */
export function createChalk(colour: boolean): ChalkInstance {
  return new Chalk({ level: colour ? 1 : 0 });
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
