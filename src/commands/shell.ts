import { ArchRouteError } from "../core/errors.js";
import { bundledRouteNames } from "../io/bundled.js";
import { quantisations } from "../io/model-table.js";
import type { Streams } from "../io/streams.js";
import {
  type AliasShell,
  aliasScript,
  aliasShells,
  type CompletedOption,
  type Completion,
  type CompletionShell,
  completionScript,
  completionShells,
} from "../ui/shell.js";
import type { CommandSpec, OptionSpec } from "./table.js";

/** What there is to complete: the commands, and the options that mean the same everywhere. */
export interface Program {
  readonly commands: readonly CommandSpec[];
  readonly options: readonly OptionSpec[];
}

/** `completion SHELL`: the script to source; `--list`: the words that the script asks for when it is used. */
export async function printCompletion(
  shell: string | undefined,
  list: string | undefined,
  program: Program,
  io: Streams,
): Promise<number> {
  if (list !== undefined) {
    io.stdout.write(`${listed(list).join("\n")}\n`);
    return 0;
  }
  if (!isOneOf(completionShells, shell)) throw unknownShell("completion", shell, completionShells);
  io.stdout.write(completionScript(shell satisfies CompletionShell, describe(program)));
  return 0;
}

/** `alias SHELL`: a function `ask` that routes and dispatches. */
export async function printAlias(shell: string, io: Streams): Promise<number> {
  if (!isOneOf(aliasShells, shell)) throw unknownShell("alias", shell, aliasShells);
  io.stdout.write(aliasScript(shell satisfies AliasShell));
  return 0;
}

function listed(what: string): string[] {
  if (what === "routes") return bundledRouteNames();
  if (what === "models") return ["mini", "arch-router", ...quantisations.map((name) => `arch-router:${name}`)];
  throw new ArchRouteError("E_USAGE", `completion --list ${what}: there is no such list`, {
    hint: "use routes or models",
  });
}

function describe({ commands, options }: Program): Completion {
  const children = commands.filter((spec) => spec.commands !== undefined);
  return {
    commands: commands.map((spec) => [nameOf(spec), spec.description] as const),
    subcommands: new Map<string, readonly string[]>([
      ...children.map((spec) => [nameOf(spec), (spec.commands ?? []).map(nameOf)] as const),
      ["completion", completionShells] as const,
      ["alias", aliasShells] as const,
    ]),
    options: options.map(describeOption),
  };
}

function describeOption(spec: OptionSpec): CompletedOption {
  const [, short, long = "", placeholder] = /^(?:(-\w), )?(--[\w-]+)(?: <(.+)>)?$/.exec(spec.flags) ?? [];
  return { long, short, description: spec.description, value: describeValue(spec, long, placeholder) };
}

function describeValue(spec: OptionSpec, long: string, placeholder: string | undefined): CompletedOption["value"] {
  if (placeholder === undefined) return undefined;
  if (spec.choices) return { words: spec.choices };
  if (long === "--routes") return { ask: "routes" };
  if (long === "--model") return { ask: "models" };
  if (placeholder.startsWith("file")) return "file";
  const words = placeholder.split("|").filter((word) => /^[a-z]{2,}$/.test(word));
  return words.length > 1 ? { words } : "any";
}

function nameOf({ usage }: CommandSpec): string {
  return usage.split(" ")[0] ?? usage;
}

function isOneOf<Word extends string>(words: readonly Word[], word: string | undefined): word is Word {
  return words.includes(word as Word);
}

function unknownShell(command: string, shell: string | undefined, shells: readonly string[]): ArchRouteError {
  const what = shell === undefined ? "no shell is named" : `${shell}: unknown shell`;
  return new ArchRouteError("E_USAGE", `${command}: ${what}`, { hint: `use one of ${shells.join(", ")}` });
}
