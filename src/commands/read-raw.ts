import type { RawRecord } from "../io/input.js";
import { numberAsWritten, parseJson } from "../io/json.js";

/** A record of JSON text, read by one of core's readers; a number as id stays as it was written. Throws E_JSON, and what `read` throws. */
export async function readRaw<Read extends { readonly id?: string }>(
  raw: Extract<RawRecord, { text: string }>,
  read: (value: unknown) => Read,
): Promise<Read> {
  const record = read(await parseJson(raw.text, raw.line));
  if (record.id === undefined || record.id.startsWith('"')) return record;
  return { ...record, id: (await numberAsWritten(raw.text, "id")) ?? record.id };
}
