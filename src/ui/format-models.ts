import stringWidth from "string-width";
import { printable } from "../core/printable.js";

/** A model on this machine, as it is listed; these are the keys of the JSON too. */
export interface ModelRow {
  /** What `--model` takes, or the file's name. */
  readonly name: string;
  readonly path: string;
  readonly store: "package" | "arch-route" | "ollama" | "Hugging Face" | "LM Studio" | "llama.cpp" | "path";
  /** Bytes; null: it cannot be read. */
  readonly size: number | null;
  /** Null: not known. */
  readonly licence: string | null;
  /** Whether its sha256 was found right; `unknown`: there is none to compare with. */
  readonly verified: "yes" | "not yet" | "unknown";
  /** It would be used now. */
  readonly used: boolean;
  /** Why it cannot be used; null: it can. */
  readonly problem: string | null;
}

/** Models as a table for people, two lines each, and why the marked one would be used. */
export function formatModels(rows: readonly ModelRow[], why: string): string {
  const cells = rows.map((row) => [
    row.name,
    row.size === null ? "–" : `${Math.round(row.size / 1e6)} MB`,
    row.store,
    row.licence ?? "licence unknown",
    row.verified === "yes" ? "verified" : row.verified === "not yet" ? "not verified yet" : "no sum to verify",
  ]);
  const widths = [0, 1, 2, 3].map((column) => Math.max(...cells.map((line) => stringWidth(safe(line[column] ?? "")))));
  const lines = rows.flatMap((row, index) => {
    const line = (cells[index] ?? []).map((cell, column) => pad(safe(cell), widths[column] ?? 0)).join("  ");
    const problem = row.problem === null ? [] : [`    not usable: ${safe(row.problem)}`];
    return [`${row.used ? "*" : " "} ${line}`.trimEnd(), `    ${safe(row.path)}`, ...problem];
  });
  const used = rows.some((row) => row.used);
  return `${lines.join("\n")}\n\n${used ? "* would be used" : "none can be used"}: ${safe(why)}\n`;
}

function safe(text: string): string {
  return printable(text).replace(/\s+/g, " ");
}

function pad(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - stringWidth(text)));
}
