import { findTarget } from "../core/dispatch.js";
import { ArchRouteError } from "../core/errors.js";
import { type InputRecord, readRecord, readText } from "../core/parse.js";
import type { Router } from "../core/router.js";
import type { Config } from "../io/config.js";
import type { RawRecord } from "../io/input.js";
import type { Failed, Routed } from "../ui/format.js";
import { readRaw } from "./read-raw.js";
import { sessionId, withSession } from "./session.js";

/** What is needed to route a record. */
export interface RecordContext {
  readonly router: Router;
  readonly config: Config;
  /** `--session` */
  readonly session?: string | undefined;
  readonly warn: (message: string) => void;
}

/** A record that was routed, with what it was, or the reason why it was not. */
export type RoutedRecord = (Routed & { readonly record: InputRecord }) | Failed;

/** One record, routed: whatever is wrong with it stays its own affair. */
export async function routeRecord(
  raw: RawRecord,
  { router, config, session, warn }: RecordContext,
): Promise<RoutedRecord> {
  let record: InputRecord | undefined;
  try {
    if ("error" in raw) throw raw.error;
    record = await readInput(raw);
    const { conversation, routes, id } = record;
    const routing = await router.route(conversation, routes);
    if (session === undefined) return { id, record, routing, target: findTarget(config.routes, routing) };
    const kept = await withSession(routing, sessionId(session, conversation), config, warn);
    return { id, record, routing: kept, session: kept.session, target: findTarget(config.routes, kept) };
  } catch (error) {
    if (!(error instanceof ArchRouteError)) throw error;
    return { id: record?.id, line: raw.line, error };
  }
}

/** The text of a record → what it asks for. Throws E_JSON, E_SHAPE. */
export async function readInput(raw: Extract<RawRecord, { text: string }>): Promise<InputRecord> {
  if (raw.format === "text" || raw.format === "lines") return readText(raw.text);
  return await readRaw(raw, readRecord);
}
