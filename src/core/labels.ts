import type { Conversation } from "./conversation.js";
import { ArchRouteError } from "./errors.js";
import { messageKeys, readRecord } from "./parse.js";
import { OTHER, type Route } from "./route.js";

/** A conversation up to a user message, and the route that a person says is right for it. */
export interface Turn {
  readonly conversation: Conversation;
  /** The name of a route, or `other`. */
  readonly label: string;
}

/** A labelled record: one turn, or several of the same conversation, in order. */
export interface LabelledRecord {
  /** The record's `id`, as JSON text. */
  readonly id?: string;
  readonly turns: readonly Turn[];
  /** The record's own route set. */
  readonly routes?: readonly Route[];
}

// The first that is there counts: in the tool's own output `route` is what was decided, and `expected` the label.
const labelKeys = ["expected", "route"] as const;

/**
 * A JSON value → the labelled record it is: any form that routing reads, with the label for its last user message beside
 * it, as `expected` or `route`. A user message may carry its own label, of the same keys: each labelled message is then a
 * turn, decided on what was said up to it. A label is one of `routes` (or of the record's own) or `other`. Throws E_SHAPE.
 */
export function readLabelled(value: unknown, routes: readonly Route[]): LabelledRecord {
  const { id, conversation, routes: own } = readRecord(value);
  const names = [...(own ?? routes).map((route) => route.name), OTHER];
  const { key, messages } = messagesOf(value);
  const turns = messages.flatMap((message, index) => {
    const label = isUser(message) ? readLabel(message, `${key}/${index}`, names) : undefined;
    return label === undefined ? [] : [{ label, conversation: readRecord(messages.slice(0, index + 1)).conversation }];
  });
  const whole = Array.isArray(value) ? undefined : readLabel(value, "", names);
  const last = turns.at(-1);
  const isLast = last?.conversation.length === conversation.length;
  if (whole !== undefined && isLast && last.label !== whole) {
    throw shape("", `the record's label ${whole} is not its last message's, ${last.label}`, "leave one of them out");
  }
  if (whole !== undefined && !isLast) turns.push({ label: whole, conversation });
  if (turns.length === 0) throw shape("", "there is no label", 'add "route": one of the routes, or other');
  return { ...(id !== undefined && { id }), turns, ...(own && { routes: own }) };
}

function messagesOf(value: unknown): { readonly key: string; readonly messages: readonly unknown[] } {
  if (Array.isArray(value)) return { key: "", messages: value };
  const key = messageKeys.find((name) => own(value, name) !== undefined);
  const messages = key === undefined ? undefined : own(value, key);
  return Array.isArray(messages) ? { key: `/${key}`, messages } : { key: "", messages: [] };
}

function isUser(message: unknown): boolean {
  const role = own(message, "role") ?? own(message, "from");
  return role === "user" || role === "human";
}

function readLabel(value: unknown, at: string, names: readonly string[]): string | undefined {
  const key = labelKeys.find((name) => own(value, name) !== undefined);
  if (key === undefined) return undefined;
  const label = own(value, key);
  if (typeof label !== "string") throw shape(`${at}/${key}`, "the label must be the name of a route, as a string");
  if (!names.includes(label)) {
    throw shape(`${at}/${key}`, `there is no route ${JSON.stringify(label)}`, `use one of ${names.join(", ")}`);
  }
  return label;
}

function own(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[key];
}

function shape(pointer: string, message: string, hint?: string): ArchRouteError {
  return new ArchRouteError("E_SHAPE", message, { pointer, ...(hint !== undefined && { hint }) });
}
