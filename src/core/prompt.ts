import type { Conversation } from "./conversation.js";
import type { Route } from "./route.js";

/**
 * How characters outside ASCII are written in the prompt's JSON: `raw` as they are (what the vendor's gateway sends),
 * `escape` as \uXXXX (what the model card's Python sends). Equal for ASCII.
 */
export const unicodeModes = ["raw", "escape"] as const;
export type Unicode = (typeof unicodeModes)[number];

/**
 * The user's turn that Arch-Router reads: its role, then its single message, cut where the conversation begins: `prefix`
 * depends on the routes alone.
 */
export interface Prompt {
  readonly prefix: string;
  readonly suffix: string;
}

// The texts of the model card (huggingface.co/katanemo/Arch-Router-1.5B), mistakes included: the model was trained on
// these bytes. shared/reference/prompts.jsonl holds what the card's own code makes of them.
const task = (routes: string) => `user

You are a helpful assistant designed to find the best suited route.
You are provided with route description within <routes></routes> XML tags:
<routes>

${routes}

</routes>

<conversation>

`;

const format = (conversation: string) => `${conversation}

</conversation>

Your task is to decide which route is best suit with user intent on the conversation in <conversation></conversation> XML tags.  Follow the instruction:
1. If the latest intent from user is irrelevant or user intent is full filled, response with other route {"route": "other"}.
2. You must analyze the route descriptions and find the best match route for user latest intent. 
3. You only response the name of the route that best matches the user's request, use the exact name in the <routes></routes>.

Based on your analysis, provide your response in the following JSON formats if you decide to match any route:
{"route": "route_name"} 
`;

/**
 * ChatML around the user's turn, with Qwen2.5's default system prompt. Built in, because a GGUF's own template is
 * code from a file. Only these two texts are tokenised with special tokens on, and so they end and begin with one: the
 * newline of the template and the one that the message begins with are a single token.
 */
export const chat = {
  head: "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n<|im_start|>",
  tail: "<|im_end|>\n<|im_start|>assistant\n",
} as const;

/** (routes, conversation) → the user's turn, byte for byte what the model was trained on (but for break-outs). */
export function buildPrompt(routes: readonly Route[], conversation: Conversation, unicode: Unicode = "raw"): Prompt {
  const list = routes.map(({ name, description }) => ({ name, description }));
  const messages = conversation.map(({ role, content }) => ({ role, content }));
  return { prefix: task(dumps(list, unicode)), suffix: format(dumps(messages, unicode)) };
}

/** The whole chat text, generation prompt included. */
export function chatText(prompt: Prompt): string {
  return chat.head + prompt.prefix + prompt.suffix + chat.tail;
}

/** The answers that the model may give, one a candidate name. */
export function answerText(name: string, unicode: Unicode = "raw"): string {
  return dumps({ route: name }, unicode);
}

/** Python's json.dumps of strings in lists and flat objects, with `<` escaped where it could end a section of the prompt. */
function dumps(
  value: readonly Readonly<Record<string, string>>[] | Readonly<Record<string, string>>,
  unicode: Unicode,
): string {
  if (Array.isArray(value)) return `[${value.map((item) => dumps(item, unicode)).join(", ")}]`;
  const pairs = Object.entries(value).map(([key, text]) => `${string(key, unicode)}: ${string(text, unicode)}`);
  return `{${pairs.join(", ")}}`;
}

// Anything but printable ASCII, a code unit at a time: what Python's ensure_ascii escapes.
const notAscii = /[^ -~]/g;
const breakOut = /<(?=\/conversation>|\/routes>|\|)/g;

function string(text: string, unicode: Unicode): string {
  const json = JSON.stringify(text).replace(breakOut, "\\u003c");
  return unicode === "raw" ? json : json.replace(notAscii, hexEscape);
}

function hexEscape(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
