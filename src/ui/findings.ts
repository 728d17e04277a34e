import { printable } from "../core/printable.js";
import type { Finding } from "../core/route-check.js";
import type { ChalkInstance } from "./colour.js";

/** Findings for people: two lines each, the fault and the edit. */
export function formatFindings(findings: readonly Finding[], chalk: ChalkInstance): string {
  return findings
    .map(({ routes, kind, message, fix }) => {
      const names = routes.map((name) => chalk.bold(printable(name))).join(", ");
      return `${names}: ${printable(message)} ${chalk.dim(`(${kind})`)}\n  ${chalk.green("edit:")} ${printable(fix)}\n`;
    })
    .join("");
}
