import { ArchRouteError } from "../core/errors.js";
import { inputFormats } from "../io/input-format.js";
import type { EvalOptions } from "./eval.js";
import { doctor, models } from "./model-specs.js";
import type { RouteOptions } from "./options.js";
import type { Surroundings } from "./route.js";
import type { Call, CommandSpec } from "./spec.js";

export type { CommandSpec, OptionSpec } from "./spec.js";

/** The default command. Its options mean the same wherever they stand. */
export const routeSpec = {
  usage: "arch-route [prompt...]",
  description: "Decides, on this machine, which of your routes (or other) a prompt or conversation belongs to.",
  options: [
    { flags: "-r, --routes <file|name>", description: "route set: a file, or a shipped set" },
    { flags: "-m, --model <model>", description: "mini, arch-router[:quant], a GGUF file or hf:user/repo/file" },
    { flags: "--cascade", description: "mini decides where it is sure, the model gets the rest" },
    { flags: "--no-cascade", description: "one model decides all, whatever the configuration says" },
    {
      flags: "--cascade-margin <p>",
      description: "with less between mini's two best: the model",
      implies: { cascade: true },
    },
    { flags: "-i, --input <file...>", description: "read from files instead of standard input" },
    { flags: "-o, --output <file>", description: "write results to a file" },
    { flags: "--resume", description: "go on with the batch whose results are in --output" },
    { flags: "--resume-changed", description: "the same, though its input, routes or options changed" },
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
    {
      flags: "-x, --exec",
      description: "run the route's command with the prompt on its stdin",
      conflicts: ["plain", "explain"],
    },
    { flags: "--dry-run", description: "print the command instead of running it" },
    { flags: "--timeout <seconds>", description: "end a command that takes longer" },
    { flags: "--session <id|auto>", description: "keep a conversation on its route; auto: by its first message" },
    { flags: "--jobs <n>", description: "commands, or requests to --url, at once", parse: wholeNumber, default: 1 },
    { flags: "--halt <now|soon,fail=n>", description: "stop a batch after n failed commands", parse: haltRule },
    {
      flags: "--max-output-bytes <n>",
      description: "keep so much of a command's output in a batch",
      parse: wholeNumber,
      default: 1024 * 1024,
    },
    { flags: "--show-prompt", description: "print the text that Arch-Router would read, and stop" },
    { flags: "--unicode <raw|escape>", description: "how that text writes what is not ASCII" },
    { flags: "--gpu <auto|cuda|metal|vulkan|off>", description: "where the model runs" },
    { flags: "--threads <n>", description: "CPU threads" },
    { flags: "--context <tokens>", description: "size of the model's context" },
    { flags: "--engine <llama|openai>", description: "run the model here, or use the server at --url" },
    { flags: "--url <url>", description: "an OpenAI-compatible API: http://host:8080/v1" },
    {
      flags: "--max-record-bytes <n>",
      description: "refuse larger records",
      parse: wholeNumber,
      default: 16 * 1024 * 1024,
    },
    { flags: "--offline", description: "refuse every connection to another machine" },
    { flags: "-q, --quiet", description: "no progress, notes or warnings" },
    { flags: "-v, --verbose", description: "show the stack of an error" },
  ],
  async run({ args, commandLine, options, flags, help }: Call, io: Surroundings) {
    const { readRequest } = await import("./gather.js");
    const routeOptions = { ...options, commandLine } as unknown as RouteOptions;
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
      description: "find descriptions that will not work, with the model and without",
      options: [{ flags: "--static", description: "read the texts only: no model" }],
      run: async ({ flags, options }, io) => (await import("./routes-check.js")).checkRoutes(flags, options, io),
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

const evaluation: CommandSpec = {
  usage: "eval <files...>",
  description: 'score the routes on labelled conversations, JSON with a "route" (or "expected") each',
  options: [
    { flags: "--html <file>", description: "write the report as a page for a browser" },
    { flags: "--target-precision <p>", description: "find the min_confidence that reaches it", parse: share },
    { flags: "--sweep-history", description: "compare what different values of --history give" },
    { flags: "--sweep-cascade", description: "find the --cascade-margin at which mini and the model do best" },
    { flags: "--compare <routes|model>", description: "compare with another route set or model" },
    { flags: "--fail-under <accuracy>", description: "exit with 1 if the accuracy is lower", parse: share },
  ],
  run: async ({ args, options, flags }, io) =>
    (await import("./eval.js")).evalCommand(args, options as unknown as EvalOptions, flags, io),
};

/** The other commands, in the order of the help. */
export const commandSpecs: readonly CommandSpec[] = [
  routes,
  models,
  evaluation,
  {
    usage: "tune",
    description: "edit descriptions and watch the probabilities move",
    options: [{ flags: "--misses <file>", description: "step through the misses of an eval --json report" }],
    run: async ({ flags, options }, io) =>
      (await import("./tune.js")).tune(flags, options["misses"] as string | undefined, io),
  },
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
  doctor,
  {
    usage: "completion [shell]",
    description: "print a completion script for bash, zsh, fish or powershell",
    options: [{ flags: "--list <what>", description: "print what the script asks for: routes or models" }],
    async run({ args, options }, io) {
      const program = { commands: commandSpecs, options: routeSpec.options };
      return await (await import("./shell.js")).printCompletion(
        args[0],
        options["list"] as string | undefined,
        program,
        io,
      );
    },
  },
  {
    usage: "alias <shell>",
    description: "print a function ask, which routes and runs, for bash, zsh or fish",
    run: async ({ args }, io) => (await import("./shell.js")).printAlias(args[0] ?? "", io),
  },
];

function wholeNumber(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) {
    throw new ArchRouteError("E_USAGE", "it must be a whole number from 1 up");
  }
  return number;
}

function share(text: string): number {
  const number = text.trim() === "" ? Number.NaN : Number(text);
  if (!(number >= 0 && number <= 1)) throw new ArchRouteError("E_USAGE", "it must be a number from 0 to 1");
  return number;
}

/** As in GNU parallel: `soon,fail=3` takes no more records, `now,fail=1` also ends the commands under way. */
function haltRule(text: string): RouteOptions["halt"] {
  const match = /^(now|soon),fail=([1-9]\d*)$/.exec(text);
  if (!match) throw new ArchRouteError("E_USAGE", "it must be now,fail=N or soon,fail=N");
  return { when: match[1] as "now" | "soon", failures: Number(match[2]) };
}
