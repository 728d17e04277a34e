import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import type { RouteOptions } from "./commands/options.js";
import type { Surroundings } from "./commands/route.js";
import { ArchRouteError, BUG, exitCodes } from "./core/errors.js";
import { packageVersion } from "./io/bundled.js";
import type { Flags } from "./io/config.js";
import { inputFormats } from "./io/input-format.js";

const examples = `Examples:
  arch-route "fix this bug"                     print the route of a prompt
  git diff | arch-route "review this"           what is piped comes first
  arch-route -i chats.jsonl -o routes.jsonl     a conversation a line
  arch-route --explain "why is my loop slow"    all routes, with probabilities
  arch-route --routes support "where is my parcel"
`;

const help = "see arch-route --help; a prompt that begins with - goes after --";

/** Runs the program: argv as in `process.argv`, a process or something like it. Resolves to the exit code, never rejects. */
export async function run(argv: readonly string[], io: Surroundings): Promise<number> {
  // What cannot be said on stderr cannot be said at all.
  io.stderr.on("error", () => undefined);
  let exitCode = 0;
  const program = createProgram(argv, io, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(argv);
    return exitCode;
  } catch (error) {
    return await explain(error, io, argv.includes("-v") || argv.includes("--verbose"));
  }
}

async function explain(error: unknown, io: Surroundings, verbose: boolean): Promise<number> {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes.E_USAGE;
  if (error instanceof ArchRouteError) {
    const { formatError } = await import("./ui/format.js");
    io.stderr.write(formatError(error));
    if (verbose) io.stderr.write(`${error.stack}\n`);
    return exitCodes[error.code];
  }
  const stack = error instanceof Error ? error.stack : String(error);
  io.stderr.write(`arch-route: a defect of this program, please report it:\n${stack}\n`);
  return BUG;
}

function createProgram(argv: readonly string[], io: Surroundings, finish: (code: number) => void): Command {
  const program = new Command("arch-route")
    .description("Decides, on this machine, which of your routes (or other) a prompt or conversation belongs to.")
    .addHelpText("before", examples)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: (text, write) =>
        write(
          `${text
            .replace(/^error: /, "arch-route: ")
            .trim()
            .replace(/\s*\n\s*/g, " ")}; ${help}\n`,
        ),
      getOutHelpWidth: () => 100,
      getErrHelpWidth: () => 100,
    })
    .version(packageVersion(), "--version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false);
  addRoute(program, io, finish);
  if (!isAllPrompt(argv, commandNames)) addCommands(program, io, finish);
  return program;
}

/** `arch-route -- config …`: after `--` everything is a prompt, the names of commands too. */
function isAllPrompt(argv: readonly string[], commands: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return end !== -1 && !argv.slice(2, end).some((word) => commands.includes(word));
}

const commandNames = ["routes", "config", "trust"];

function addRoute(program: Command, io: Surroundings, finish: (code: number) => void): void {
  program
    .argument("[prompt...]", "what to route; - stands for standard input")
    .option("-r, --routes <file|name>", "route set: a file, or a shipped set")
    .option("-m, --model <model>", "mini, arch-router[:quant] or a GGUF file")
    .option("-i, --input <file...>", "read from files instead of standard input")
    .option("-o, --output <file>", "write results to a file")
    .addOption(
      new Option("--format <format>", "format of the input").choices(["auto", ...inputFormats]).default("auto"),
    )
    .addOption(new Option("--json", "print JSON, whatever the input").conflicts(["plain", "explain"]))
    .addOption(new Option("--plain", "print names, whatever the input").conflicts("explain"))
    .option("--top <k>", "print the k best routes with probabilities", wholeNumber)
    .option("--explain", "print a table of all routes with probabilities")
    .option("--min-confidence <p>", "below this probability: unsure, treated as other")
    .option("--min-margin <p>", "with less between the two best: unsure")
    .option("--require-route", "exit with 1 if there is no route")
    .option("--history <all|last|n>", "what counts of a conversation: n, the last n user messages")
    .option("--show-prompt", "print the text that Arch-Router would read, and stop")
    .option("--unicode <raw|escape>", "how that text writes what is not ASCII")
    .option("--gpu <mode>", "auto, cuda, metal, vulkan or off")
    .option("--threads <n>", "CPU threads")
    .option("--context <tokens>", "size of the model's context")
    .option("--max-record-bytes <n>", "refuse larger records", wholeNumber, 16 * 1024 * 1024)
    .option("-q, --quiet", "no progress, notes or warnings")
    .option("-v, --verbose", "say more, on standard error")
    .action(async (words: string[], options: RouteOptions & Record<string, string>) => {
      const { readRequest } = await import("./commands/gather.js");
      const request = readRequest(words, options, io);
      if (request === undefined) {
        program.outputHelp({ error: true });
        return finish(exitCodes.E_USAGE);
      }
      const { routeCommand } = await import("./commands/route.js");
      finish(await routeCommand(request, options, toFlags(options), io));
    });
}

function addCommands(program: Command, io: Surroundings, finish: (code: number) => void): void {
  const routes = program.command("routes").description("the route set in force");
  const flags = () => toFlags(program.opts());
  const json = () => program.opts()["json"] === true;
  routes
    .command("list", { isDefault: true })
    .description("print names and descriptions")
    .action(async () => finish(await (await import("./commands/routes.js")).listRoutes(flags(), json(), io)));
  routes
    .command("check")
    .description("read the route set and the configuration, and say what is wrong")
    .action(async () => finish(await (await import("./commands/routes.js")).checkRouteSet(flags(), io)));
  routes
    .command("init")
    .description("write a .arch-route.yaml to start from into this folder")
    .action(async () => finish(await (await import("./commands/routes.js")).initRoutes(io)));
  routes
    .command("import <file>")
    .description("print the routing_preferences of a Plano configuration as a route set")
    .action(async (file: string) => finish(await (await import("./commands/routes.js")).importRoutes(file, io)));
  program
    .command("config")
    .description("print the settings in force, and where each came from")
    .action(async () => finish(await (await import("./commands/config.js")).showConfig(flags(), json(), io)));
  program
    .command("trust")
    .description("let this project's file choose commands and models, as it is now")
    .action(async () => finish(await (await import("./commands/trust.js")).trustProject(io)));
}

function toFlags(options: Readonly<Record<string, unknown>>): Flags {
  const { routes, model, minConfidence, minMargin, history, unicode, gpu, threads, context } = options as Record<
    string,
    string
  >;
  return {
    routes,
    model,
    min_confidence: minConfidence,
    min_margin: minMargin,
    history,
    unicode,
    gpu,
    threads,
    context,
  };
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new InvalidArgumentError("It must be a whole number from 1 up.");
  return number;
}
