import type { Conversation } from "../core/conversation.js";
import type { Route } from "../core/route.js";

/** Text → token ids, without the ones that frame every text. */
export type Tokenize = (text: string) => number[];

/** A text as the encoder reads it. `whole` is false if anything of it was left out. */
export interface EncoderText {
  readonly tokens: readonly number[];
  readonly whole: boolean;
}

/** Tokens kept of the beginning and of the end of a text that is too long: the words that say what to do stand at either. */
interface Span {
  readonly head: number;
  readonly tail: number;
}

// The encoder is trained on texts of this shape: other numbers want other weights. Together at most 249 tokens.
const LAST_USER: Span = { head: 80, tail: 50 };
const USER_BEFORE: Span = { head: 16, tail: 8 };
const MOST_USERS_BEFORE = 3;
const REPLY: Span = { head: 16, tail: 14 };
const ROUTE: Span = { head: 120, tail: 0 };
const GAP = "…";
/** Characters of which a token is made at most, so that ten megabytes need not be tokenised for a hundred tokens. */
const LONGEST_TOKEN = 24;

/**
 * A conversation as the encoder reads it: the last user message, up to three user messages before it, newest first, and
 * the last reply.
 */
export function queryTokens(conversation: Conversation, tokenize: Tokenize): EncoderText {
  const said = (role: string) => conversation.filter((message) => message.role === role).map(({ content }) => content);
  const [last = "", ...before] = said("user").reverse();
  const parts = [cut(last, LAST_USER, tokenize)];
  const earlier = before.slice(0, MOST_USERS_BEFORE);
  for (const text of earlier) parts.push(marked(" | before: ", cut(text, USER_BEFORE, tokenize), tokenize));
  const reply = said("assistant").at(-1);
  if (reply !== undefined) parts.push(marked(" | reply: ", cut(reply, REPLY, tokenize), tokenize));
  const messages = 1 + earlier.length + (reply === undefined ? 0 : 1);
  return {
    tokens: parts.flatMap(({ tokens }) => tokens),
    whole: conversation.length === messages && parts.every(({ whole }) => whole),
  };
}

/** A route as the encoder reads it. */
export function routeTokens(route: Route, tokenize: Tokenize): EncoderText {
  return cut(routeText(route), ROUTE, tokenize);
}

/** Its name in words, a colon, its description. */
export function routeText({ name, description }: Route): string {
  const words = name
    .replace(/(?<=[a-z0-9])(?=[A-Z])/g, " ")
    .replace(/[_\-/.:]+/g, " ")
    .toLowerCase()
    .trim();
  return `${words}: ${description}`;
}

function marked(mark: string, { tokens, whole }: EncoderText, tokenize: Tokenize): EncoderText {
  return { tokens: [...tokenize(mark), ...tokens], whole };
}

function cut(text: string, { head, tail }: Span, tokenize: Tokenize): EncoderText {
  const most = (head + tail) * LONGEST_TOKEN;
  if (text.length <= most) {
    const tokens = tokenize(text);
    if (tokens.length <= head + tail) return { tokens, whole: true };
  }
  const start = tokenize(text.slice(0, most)).slice(0, head);
  if (tail === 0) return { tokens: start, whole: false };
  return { tokens: [...start, ...tokenize(GAP), ...tokenize(text.slice(-most)).slice(-tail)], whole: false };
}
