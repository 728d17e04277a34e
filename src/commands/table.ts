import { ArchRouteError } from "../core/errors.js";
import type { Flags } from "../io/config.js";
import { inputFormats } from "../io/input-format.js";
import type { RouteOptions } from "./options.js";
import type { Surroundings } from "./route.js";

/** An option, as the parser needs it. */
export interface OptionSpec {
  /** `-o, --output <file>` */
  readonly flags: string;
  readonly description: string;
  readonly choices?: readonly string[];
  /** Names of options that it cannot go with. */
  readonly conflicts?: readonly string[];
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
  /** All options by their long names in camel case, those of the parents too. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The options that are settings of the configuration. */
  readonly flags: Flags;
  /** Prints the help on stderr. */
  readonly help: () => void;
}

/** The default command. Its options mean the same wherever they stand. */
export const routeSpec = {
  usage: "arch-route [prompt...]",
  description: "Decides, on this machine, which of your routes (or other) a prompt or conversation belongs to.",
  options: [
    { flags: "-r, --routes <file|name>", description: "route set: a file, or a shipped set" },
    { flags: "-m, --model <model>", description: "mini, arch-router[:quant] or a GGUF file" },
    { flags: "-i, --input <file...>", description: "read from files instead of standard input" },
    { flags: "-o, --output <file>", description: "write results to a file" },
    {
      flags: "--format <format>",
      description: "format of the input",
      choices: ["auto", ...inputFormats],
      default: "auto",
    },
    { flags: "--json", description: "print JSON, whatever the input", conflicts: ["plain", "explain"] },
    { flags: "--plain", description: "print names, whatever the input", conflicts: ["explain"] },
    { flags: "--top <k>", description: "print the k best routes with probabilities", parse: wholeNumber },
    { flags: "--explain", description: "print a table of all routes with probabilities" },
    { flags: "--min-confidence <p>", description: "below this probability: unsure, treated as other" },
    { flags: "--min-margin <p>", description: "with less between the two best: unsure" },
    { flags: "--require-route", description: "exit with 1 if there is no route" },
    { flags: "--history <all|last|n>", description: "what counts of a conversation: n, the last n user messages" },
    { flags: "--show-prompt", description: "print the text that Arch-Router would read, and stop" },
    { flags: "--unicode <raw|escape>", description: "how that text writes what is not ASCII" },
    { flags: "--gpu <mode>", description: "auto, cuda, metal, vulkan or off" },
    { flags: "--threads <n>", description: "CPU threads" },
    { flags: "--context <tokens>", description: "size of the model's context" },
    {
      flags: "--max-record-bytes <n>",
      description: "refuse larger records",
      parse: wholeNumber,
      default: 16 * 1024 * 1024,
    },
    { flags: "-q, --quiet", description: "no progress, notes or warnings" },
    { flags: "-v, --verbose", description: "say more, on standard error" },
  ],
  async run({ args, options, flags, help }, io) {
    const { readRequest } = await import("./gather.js");
    const routeOptions = options as unknown as RouteOptions;
    const request = readRequest(args, routeOptions, io);
    if (request !== undefined) return await (await import("./route.js")).routeCommand(request, routeOptions, flags, io);
    help();
    return 2;
  },
} as const satisfies CommandSpec;

const routes: CommandSpec = {
  usage: "routes",
  description: "the route set in force",
  commands: [
    {
      usage: "list",
      isDefault: true,
      description: "print names and descriptions",
      run: async ({ flags, options }, io) =>
        (await import("./routes.js")).listRoutes(flags, options["json"] === true, io),
    },
    {
      usage: "check",
      description: "read the route set and the configuration, and say what is wrong",
      run: async ({ flags }, io) => (await import("./routes.js")).checkRouteSet(flags, io),
    },
    {
      usage: "init",
      description: "write a .arch-route.yaml to start from into this folder",
      run: async (_, io) => (await import("./routes.js")).initRoutes(io),
    },
    {
      usage: "import <file>",
      description: "print the routing_preferences of a Plano configuration as a route set",
      run: async ({ args }, io) => (await import("./routes.js")).importRoutes(args[0] ?? "", io),
    },
  ],
};

/** The other commands, in the order of the help. */
export const commandSpecs: readonly CommandSpec[] = [
  routes,
  {
    usage: "config",
    description: "print the settings in force, and where each came from",
    run: async ({ flags, options }, io) =>
      (await import("./config.js")).showConfig(flags, options["json"] === true, io),
  },
  {
    usage: "trust",
    description: "let this project's file choose commands and models, as it is now",
    run: async (_, io) => (await import("./trust.js")).trustProject(io),
  },
];

function wholeNumber(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) {
    throw new ArchRouteError("E_USAGE", "it must be a whole number from 1 up");
  }
  return number;
}
