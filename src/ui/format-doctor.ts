import { printable } from "../core/printable.js";
import type { ChalkInstance } from "./colour.js";

/** One thing that was looked at; these are the keys of the JSON too. */
export interface Finding {
  /** What was looked at, in a word or two. */
  readonly what: string;
  readonly state: "ok" | "warning" | "problem";
  /** What was found. */
  readonly detail: string;
  /** What to do about it; null: nothing. */
  readonly advice: string | null;
}

/** A finding for people: one line, and one more with what to do. */
export function formatFinding({ what, state, detail, advice }: Finding, chalk: ChalkInstance): string {
  const mark =
    state === "ok" ? chalk.green("ok     ") : state === "warning" ? chalk.yellow("warning") : chalk.red("problem");
  const lines = [`${mark}  ${safe(what)}: ${safe(detail)}`];
  if (advice !== null) lines.push(`         ${chalk.bold(safe(advice))}`);
  return `${lines.join("\n")}\n`;
}

function safe(text: string): string {
  return printable(text).replace(/\s+/g, " ");
}
