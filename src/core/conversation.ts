/** The two roles that routing looks at; system, developer and tool messages are dropped when a conversation is read. */
export type Role = "user" | "assistant";

export interface Message {
  readonly role: Role;
  readonly content: string;
}

/** Messages in the order they were said; at least one is the user's. */
export type Conversation = readonly Message[];

/** How much of a conversation counts: all of it, or what was said from the last (`last`) or Nth last user message on. */
export type History = "all" | "last" | number;

/** The part of the conversation that `history` keeps; never loses the last user message. */
export function takeHistory(conversation: Conversation, history: History): Conversation {
  if (history === "all") return conversation;
  const users = conversation.flatMap((message, index) => (message.role === "user" ? [index] : []));
  return conversation.slice(users.at(history === "last" ? -1 : -history) ?? 0);
}

/** Index of the last user message, -1 if there is none. */
export function lastUserIndex(conversation: Conversation): number {
  return conversation.findLastIndex((message) => message.role === "user");
}

export interface TokenBudget {
  /** Tokens that `count` may reach. */
  readonly tokens: number;
  /** Tokens of everything the model reads with this conversation in it. */
  readonly count: (conversation: Conversation) => number;
}

// No tokenizer in use packs more characters into an average token; longer text is cut before it is ever tokenised,
// so that a 16 MB message costs no more than a long one.
const MAX_CHARACTERS_PER_TOKEN = 16;

/**
 * Fits a conversation into a token budget: the newest messages are kept, the last user message always; if that
 * one alone is too long, its middle is cut.
 */
export function trimConversation(
  conversation: Conversation,
  budget: TokenBudget,
): { conversation: Conversation; trimmed: boolean } {
  const characters = budget.tokens * MAX_CHARACTERS_PER_TOKEN;
  const fits = (candidate: Conversation) =>
    candidate.reduce((sum, message) => sum + message.content.length, 0) <= characters &&
    budget.count(candidate) <= budget.tokens;
  if (fits(conversation)) return { conversation, trimmed: false };

  const last = lastUserIndex(conversation);
  const start = firstThat(1, last + 1, (index) => fits(conversation.slice(index)));
  if (start <= last) return { conversation: conversation.slice(start), trimmed: true };

  const content = conversation[last]?.content ?? "";
  const cut = (kept: number): Conversation => [{ role: "user", content: cutMiddle(content, kept) }];
  const longest = Math.min(content.length, characters);
  // Shortest cut that fits: search over how much is removed, so that the predicate turns true once.
  const removed = firstThat(0, longest, (n) => fits(cut(longest - n)));
  return { conversation: cut(longest - removed), trimmed: true };
}

/** Smallest index in [from, to) for which `test` holds, `to` if none; `test` must stay true once it is. */
function firstThat(from: number, to: number, test: (index: number) => boolean): number {
  let [low, high] = [from, to];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (test(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** At most `kept` characters of a text, 60 % from its head and 40 % from its tail around an ellipsis. */
export function cutMiddle(text: string, kept: number): string {
  if (text.length <= kept) return text;
  const head = Math.ceil(Math.max(0, kept - 1) * 0.6);
  const tail = Math.max(0, kept - 1) - head;
  // A surrogate pair must not be torn: the prompt would hold half a character.
  return `${text.slice(0, head).replace(/[\ud800-\udbff]$/, "")}…${text.slice(text.length - tail).replace(/^[\udc00-\udfff]/, "")}`;
}
