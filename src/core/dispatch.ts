import type { Conversation } from "./conversation.js";
import type { Decision } from "./decision.js";
import { ArchRouteError } from "./errors.js";
import type { RouteSet, Target } from "./route.js";

/** What a command finds on its standard input: the last user message, the whole talk as text, or as JSON. */
export const stdinModes = ["prompt", "transcript", "json"] as const;
export type StdinMode = (typeof stdinModes)[number];

/** A command to run: a value, so that it can be shown instead. */
export interface Invocation {
  readonly command: string;
  readonly args: readonly string[];
  /** What goes to its standard input; undefined: nothing, because the prompt is an argument. */
  readonly input: string | undefined;
}

/** Placeholders in commands: `{model}` and `{route}` anywhere, `{prompt}` as a whole argument after `--`. */
const placeholder = /\{(model|route)\}/g;
const PROMPT = "{prompt}";
const END_OF_OPTIONS = "--";

/** Linux takes at most 128 KiB in one argument (MAX_ARG_STRLEN), other systems no less in practice. */
const LONGEST_ARGUMENT = 128 * 1024 - 1;

/**
 * What stands behind a decision: the route's own commands, else the common command if the route names a model; what is
 * set for `other` serves the unsure as well. Placeholders but `{prompt}` are filled in. Undefined: nothing is configured.
 */
export function findTarget(
  { routes, other, command }: RouteSet,
  decision: Pick<Decision, "route" | "outcome">,
): Target | undefined {
  const route = decision.outcome === "matched" ? routes.find(({ name }) => name === decision.route) : other;
  if (route === undefined) return undefined;
  const { model } = route;
  const run = route.run ?? (command && model !== undefined ? [command] : undefined);
  const values = { model: model ?? "", route: decision.route };
  return { ...(model !== undefined && { model }), ...(run && { run: run.map((argv) => fill(argv, values)) }) };
}

/** Fills `{model}` and `{route}` into a command. */
export function fill(argv: readonly string[], values: { readonly model: string; readonly route: string }): string[] {
  return argv.map((argument) => argument.replace(placeholder, (_, key: "model" | "route") => values[key]));
}

/**
 * (target, conversation) → the commands to try, in order. Throws E_NUL, E_TOO_LONG for a
 * prompt that no argument can hold, E_CONFIG for a command that must not be run.
 */
export function planDispatch(target: Target, conversation: Conversation, mode: StdinMode = "prompt"): Invocation[] {
  const prompt = conversation.findLast((message) => message.role === "user")?.content ?? "";
  return (target.run ?? []).map((argv) => {
    // Again, now that names are filled in: those of a record's own routes are anybody's.
    const fault = commandFault(argv);
    if (fault !== undefined) throw new ArchRouteError("E_CONFIG", `command ${argv[0]}: ${fault}`);
    const [command = "", ...rest] = argv;
    const inArguments = rest.includes(PROMPT);
    if (inArguments) checkArgument(prompt);
    const args = rest.map((argument) => (argument === PROMPT ? prompt : argument));
    return { command, args, input: inArguments ? undefined : inputText(conversation, prompt, mode) };
  });
}

/** Why a command must not be run: it would put the prompt where an option or a shell could be read out of it. */
export function commandFault(argv: readonly string[]): string | undefined {
  // Windows ignores dots and spaces at the end of a name.
  if (/\.(cmd|bat)[. ]*$/i.test(argv[0] ?? ""))
    return "batch files hand their arguments to a shell: name the program itself";
  if (argv.some((argument) => argument.includes("\0"))) return "no argument can hold a NUL character";
  const isUnsafe = (argument: string, index: number) =>
    argument.includes(PROMPT) && !(argument === PROMPT && argv.slice(1, index).includes(END_OF_OPTIONS));
  if (!argv.some(isUnsafe)) return undefined;
  return `${PROMPT} must be an argument of its own, after ${END_OF_OPTIONS}; left out, standard input gets the prompt`;
}

function checkArgument(prompt: string): void {
  const hint = `leave ${PROMPT} out of the command: standard input takes it`;
  if (prompt.includes("\0"))
    throw new ArchRouteError("E_NUL", "the prompt has a NUL character: no argument can hold it", { hint });
  // Three bytes a UTF-16 code unit at most: no need to count the short ones.
  if (prompt.length * 3 > LONGEST_ARGUMENT && new TextEncoder().encode(prompt).length > LONGEST_ARGUMENT) {
    throw new ArchRouteError("E_TOO_LONG", "the prompt is too long for an argument", { hint });
  }
}

function inputText(conversation: Conversation, prompt: string, mode: StdinMode): string {
  if (mode === "prompt") return prompt;
  if (mode === "json") return `${JSON.stringify({ messages: conversation })}\n`;
  const speakers = { user: "User", assistant: "Assistant" } as const;
  return `${conversation.map(({ role, content }) => `${speakers[role]}: ${content}`).join("\n\n")}\n`;
}

/** A command as a POSIX shell would have to be given it. */
export function shellQuoted({ command, args }: Invocation): string {
  return [command, ...args].map(quote).join(" ");
}

const harmless = /^[\w@%+=:,./-]+$/;
/** Control characters, line separators and bidi controls. */
const unprintable = new RegExp(
  `[${String.fromCharCode(0)}-${String.fromCharCode(31)}\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]`,
  "g",
);

function quote(argument: string): string {
  if (harmless.test(argument)) return argument;
  if (argument.search(unprintable) === -1) return `'${argument.replaceAll("'", "'\\''")}'`;
  const escaped = argument
    .replace(/[\\']/g, "\\$&")
    .replace(unprintable, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return `$'${escaped}'`;
}
