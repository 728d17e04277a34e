import type { Flags } from "../io/config.js";
import type { Surroundings } from "./route.js";

/** An option, as the parser needs it. */
export interface OptionSpec {
  /** `-o, --output <file>` */
  readonly flags: string;
  readonly description: string;
  readonly choices?: readonly string[];
  /** Names of options that it cannot go with. */
  readonly conflicts?: readonly string[];
  /** Values that other options have with it, unless they are given, by their names in camel case. */
  readonly implies?: Readonly<Record<string, unknown>>;
  readonly default?: string | number;
  /** Text → value; throws an Error whose message says what it must be. */
  readonly parse?: (text: string) => unknown;
}

/** A command: what is to be said of it, and how it is run. Its module is loaded when it is called, not before. */
export interface CommandSpec {
  /** Name and arguments: `import <file>`. */
  readonly usage: string;
  readonly description: string;
  /** The one that runs when its parent is called alone. */
  readonly isDefault?: boolean;
  readonly options?: readonly OptionSpec[];
  readonly commands?: readonly CommandSpec[];
  /** Resolves to the exit code. */
  readonly run?: (call: Call, io: Surroundings) => Promise<number>;
}

/** A command line, taken apart. */
export interface Call {
  readonly args: readonly string[];
  /** All that was typed after the program's name. */
  readonly commandLine: readonly string[];
  /** All options by their long names in camel case, those of the parents too. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The options that are settings of the configuration. */
  readonly flags: Flags;
  /** Prints the help on stderr. */
  readonly help: () => void;
}
