import { type Conversation, lastUserIndex, type Message, type Role } from "./conversation.js";
import { ArchRouteError } from "./errors.js";
import { checkRoutes, type Route } from "./route.js";

/** What one input record asks for. */
export interface InputRecord {
  /** The record's `id`, as JSON text, as it was written. */
  readonly id?: string;
  readonly conversation: Conversation;
  /** The record's own route set. */
  readonly routes?: readonly Route[];
}

// undefined: a known role that routing does not look at.
const roles = new Map<string, Role | undefined>([
  ["user", "user"],
  ["human", "user"],
  ["assistant", "assistant"],
  ["gpt", "assistant"],
  ["chatgpt", "assistant"],
  ["model", "assistant"],
  ["system", undefined],
  ["developer", undefined],
  ["tool", undefined],
  ["function", undefined],
]);

// OpenAI chat, Anthropic, OpenAI Responses.
const textParts = new Set(["text", "input_text", "output_text"]);

/** Where a body keeps its messages; the first that is there counts. */
export const messageKeys = ["messages", "conversations", "conversation"] as const;

/** Plain text → one user message. */
export function readText(text: string): InputRecord {
  return { conversation: [{ role: "user", content: text }] };
}

/**
 * A JSON value → the record it is: a string, a message array, `{"prompt"}`, or a body with messages as OpenAI, Anthropic
 * and ShareGPT write them. Reads known keys only, so what else the value holds, however deep, is never looked at.
 * Throws E_SHAPE with a JSON pointer.
 */
export function readRecord(value: unknown): InputRecord {
  if (typeof value === "string") return { conversation: userMessage(value, "") };
  if (Array.isArray(value)) return { conversation: readMessages(value, "") };
  if (!isObject(value)) throw shape("", `expected a conversation, got ${kind(value)}`);
  const id = readId(own(value, "id"));
  const routes = own(value, "routes");
  return {
    ...(id === undefined ? {} : { id }),
    conversation: readBody(value),
    ...(routes === undefined ? {} : { routes: readRoutes(routes) }),
  };
}

function readBody(value: object): Conversation {
  const key = messageKeys.find((name) => own(value, name) !== undefined);
  if (key !== undefined) return readMessages(own(value, key), `/${key}`);
  const prompt = own(value, "prompt");
  if (prompt === undefined) throw shape("", 'neither "messages" nor "conversations" nor "prompt" is there');
  if (typeof prompt !== "string") throw shape("/prompt", `expected a string, got ${kind(prompt)}`);
  return userMessage(prompt, "/prompt");
}

function userMessage(content: string, at: string): Conversation {
  if (content.trim() === "") throw shape(at, "the prompt is empty");
  return [{ role: "user", content }];
}

function readMessages(value: unknown, at: string): Conversation {
  if (!Array.isArray(value)) throw shape(at, `expected a list of messages, got ${kind(value)}`);
  const conversation = value.flatMap((message: unknown, index) => readMessage(message, `${at}/${index}`));
  if (lastUserIndex(conversation) === -1) throw shape(at, "there is no user message with text");
  return conversation;
}

function readMessage(value: unknown, at: string): Message[] {
  if (!isObject(value)) throw shape(at, `expected a message, got ${kind(value)}`);
  const [roleKey, contentKey] = own(value, "role") === undefined ? ["from", "value"] : ["role", "content"];
  const name = own(value, roleKey);
  if (name === undefined) throw shape(`${at}/role`, "missing");
  if (typeof name !== "string") throw shape(`${at}/${roleKey}`, `expected a string, got ${kind(name)}`);
  if (!roles.has(name)) throw shape(`${at}/${roleKey}`, "unknown role", `use one of ${[...roles.keys()].join(", ")}`);
  const role = roles.get(name);
  if (role === undefined) return [];
  const content = readContent(own(value, contentKey), role, `${at}/${contentKey}`);
  return content.trim() === "" ? [] : [{ role, content }];
}

function readContent(value: unknown, role: Role, at: string): string {
  if (typeof value === "string") return value;
  // An assistant's turn may hold tool calls only.
  if ((value === undefined || value === null) && role === "assistant") return "";
  if (!Array.isArray(value))
    throw shape(at, value === undefined ? "missing" : `expected text or a list of parts, got ${kind(value)}`);
  return value.flatMap((part: unknown, index) => readPart(part, `${at}/${index}`)).join("\n");
}

function readPart(part: unknown, at: string): string[] {
  if (typeof part === "string") return [part];
  if (!isObject(part)) throw shape(at, `expected a part, got ${kind(part)}`);
  const type = own(part, "type");
  if (typeof type !== "string" || !textParts.has(type)) return [];
  const text = own(part, "text");
  if (typeof text !== "string") throw shape(`${at}/text`, `expected a string, got ${kind(text)}`);
  return [text];
}

function readId(id: unknown): string | undefined {
  if (id === undefined) return undefined;
  if (id !== null && typeof id !== "string" && typeof id !== "number")
    throw shape("/id", `expected a string or a number, got ${kind(id)}`);
  return JSON.stringify(id);
}

/** Names and descriptions only: what a record says must never choose a command. */
function readRoutes(value: unknown): Route[] {
  if (!Array.isArray(value)) throw shape("/routes", `expected a list of routes, got ${kind(value)}`);
  const routes = value.map((route: unknown, index) => {
    const at = `/routes/${index}`;
    if (!isObject(route)) throw shape(at, `expected a route, got ${kind(route)}`);
    return { name: readString(route, "name", at), description: readString(route, "description", at) };
  });
  checkRoutes(routes);
  return routes;
}

function readString(value: object, key: string, at: string): string {
  const text = own(value, key);
  if (typeof text !== "string")
    throw shape(`${at}/${key}`, text === undefined ? "missing" : `expected a string, got ${kind(text)}`);
  return text;
}

function own(value: object, key: string): unknown {
  return Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function kind(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function shape(pointer: string, message: string, hint?: string): ArchRouteError {
  return new ArchRouteError("E_SHAPE", message, { pointer, ...(hint === undefined ? {} : { hint }) });
}
