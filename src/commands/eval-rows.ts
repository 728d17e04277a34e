import { ArchRouteError } from "../core/errors.js";
import { type LabelledRecord, readLabelled } from "../core/labels.js";
import type { Route } from "../core/route.js";
import { type InputOptions, type RawRecord, readRecords } from "../io/input.js";
import { readRaw } from "./read-raw.js";

/** A labelled record and where it was read. */
export interface LabelledRow extends LabelledRecord {
  readonly source: string;
  readonly line: number;
}

/** A record that could not be scored. */
export interface FailedRow {
  readonly source: string;
  readonly line: number;
  readonly error: ArchRouteError;
}

/** Reads all labelled records of the files; labels are `routes`, a record's own, or `other`. */
export async function readRows(
  files: readonly string[],
  options: InputOptions,
  routes: readonly Route[],
): Promise<{ rows: LabelledRow[]; failures: FailedRow[] }> {
  const rows: LabelledRow[] = [];
  const failures: FailedRow[] = [];
  for await (const raw of readRecords(files, options)) {
    const { source, line } = raw;
    try {
      rows.push({ ...(await readRow(raw, routes)), source, line });
    } catch (error) {
      if (!(error instanceof ArchRouteError)) throw error;
      failures.push({ source, line, error });
    }
  }
  return { rows, failures };
}

async function readRow(raw: RawRecord, routes: readonly Route[]): Promise<LabelledRecord> {
  if ("error" in raw) throw raw.error;
  if (raw.format === "text" || raw.format === "lines") {
    throw new ArchRouteError("E_SHAPE", "plain text has no labels", {
      hint: 'give a JSON object a line: {"prompt": "…", "route": "…"}',
    });
  }
  return await readRaw(raw, (value) => readLabelled(value, routes));
}
