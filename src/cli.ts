import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import type { Surroundings } from "./commands/route.js";
import { type CommandSpec, commandSpecs, type OptionSpec, routeSpec } from "./commands/table.js";
import { ArchRouteError, BUG, exitCodes } from "./core/errors.js";
import { printable } from "./core/printable.js";
import { packageVersion } from "./io/bundled.js";
import type { Flags } from "./io/config.js";

const examples = `Examples:
  arch-route "fix this bug"                     print the route of a prompt
  git diff | arch-route "review this"           what is piped comes first
  arch-route -i chats.jsonl -o routes.jsonl     a conversation a line
  arch-route --explain "why is my loop slow"    all routes, with probabilities
  arch-route --routes support "where is my parcel"
`;

/** Runs the program: argv as in `process.argv`, a process or something like it. Resolves to the exit code, never rejects. */
export async function run(argv: readonly string[], io: Surroundings): Promise<number> {
  // What cannot be said on stderr cannot be said at all; what fails on stdout is asked for at the end.
  io.stderr.on("error", () => undefined);
  io.stdout.on("error", () => undefined);
  let exitCode = 0;
  const program = createProgram(argv, io, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(argv);
  } catch (error) {
    exitCode = await explain(error, io, argv.includes("-v") || argv.includes("--verbose"));
  }
  if (exitCode === exitCodes.E_OUTPUT) return exitCode;
  return (await isWritten(io)) ? exitCode : exitCodes.E_OUTPUT;
}

/** Waits until stdout has taken everything; a reader that went away (`| head`) has all that it wants. */
async function isWritten({ stdout, stderr }: Surroundings): Promise<boolean> {
  const cause = await new Promise<Error | null | undefined>((resolve) => stdout.write("", resolve));
  const { code } = (cause ?? {}) as NodeJS.ErrnoException;
  if (!cause || code === "EPIPE" || code === "ERR_STREAM_DESTROYED") return true;
  stderr.write(`arch-route: standard output: cannot be written: ${cause.message}\n`);
  return false;
}

async function explain(error: unknown, io: Surroundings, verbose: boolean): Promise<number> {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes.E_USAGE;
  if (error instanceof ArchRouteError) {
    const { formatError } = await import("./ui/format.js");
    io.stderr.write(formatError(error));
    if (verbose) io.stderr.write(`${printable(error.stack ?? "")}\n`);
    return exitCodes[error.code];
  }
  const stack = error instanceof Error ? error.stack : String(error);
  io.stderr.write(`arch-route: a defect of this program, please report it:\n${printable(stack ?? "")}\n`);
  return BUG;
}

function createProgram(argv: readonly string[], io: Surroundings, finish: (code: number) => void): Command {
  const program = new Command("arch-route")
    .addHelpText("before", examples)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: (text, write) => write(usageError(text)),
      getOutHelpWidth: () => 100,
      getErrHelpWidth: () => 100,
    })
    .version(packageVersion(), "--version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .argument("[prompt...]", "what to route; - stands for standard input");
  const commandLine = argv.slice(2);
  define(program, routeSpec, commandLine, io, finish);
  if (!isAllPrompt(argv)) for (const spec of commandSpecs) add(program, spec, commandLine, io, finish);
  return program;
}

/** `arch-route -- config …`: after `--` everything is a prompt, the names of commands too. */
function isAllPrompt(argv: readonly string[]): boolean {
  const end = argv.indexOf("--");
  return (
    end !== -1 && !argv.slice(2, end).some((word) => commandSpecs.some(({ usage }) => usage.split(" ")[0] === word))
  );
}

function add(
  parent: Command,
  spec: CommandSpec,
  commandLine: readonly string[],
  io: Surroundings,
  finish: (code: number) => void,
): void {
  const command = parent.command(spec.usage, { isDefault: spec.isDefault ?? false });
  define(command, spec, commandLine, io, finish);
  for (const child of spec.commands ?? []) add(command, child, commandLine, io, finish);
}

function define(
  command: Command,
  spec: CommandSpec,
  commandLine: readonly string[],
  io: Surroundings,
  finish: (code: number) => void,
): void {
  command.description(spec.description);
  for (const option of spec.options ?? []) command.addOption(toOption(option));
  const { run } = spec;
  if (run === undefined) return;
  command.action(async () => {
    const options = command.optsWithGlobals();
    const call = {
      args: command.args,
      commandLine,
      options,
      flags: toFlags(options),
      help: () => command.outputHelp({ error: true }),
    };
    finish(await run(call, io));
  });
}

function toOption({ flags, description, choices, conflicts, implies, parse, ...rest }: OptionSpec): Option {
  const option = new Option(flags, description);
  if (choices) option.choices([...choices]);
  if (conflicts) option.conflicts([...conflicts]);
  if (implies) option.implies({ ...implies });
  if (rest.default !== undefined) option.default(rest.default);
  if (!parse) return option;
  return option.argParser((text) => {
    try {
      return parse(text);
    } catch (error) {
      throw new InvalidArgumentError((error as Error).message);
    }
  });
}

function toFlags(options: Readonly<Record<string, unknown>>): Flags {
  const { routes, model, minConfidence, minMargin, history, unicode, gpu, threads, context, timeout } =
    options as Record<string, string>;
  const { engine, url, cascadeMargin } = options as Record<string, string>;
  const cascade = options["cascade"];
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
    timeout,
    engine,
    url,
    offline: options["offline"] === true,
    cascade: cascade === undefined ? undefined : String(cascade),
    cascade_margin: cascadeMargin,
  };
}

/** The parser's words as one line of ours, with what to do. */
function usageError(text: string): string {
  const what = printable(text)
    .replace(/^error: /, "")
    .trim()
    .replace(/\.?\s*\n\s*/g, " ")
    .replace("is invalid. ", "is invalid: ")
    .replace(/\.$/, "");
  const hint = what.startsWith("unknown option")
    ? "a prompt that begins with - goes after --"
    : what.startsWith("too many arguments")
      ? "a prompt that begins with the name of a command goes after --"
      : "see arch-route --help";
  return `arch-route: ${what}; ${hint}\n`;
}
