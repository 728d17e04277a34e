import type { Conversation } from "../core/conversation.js";
import { type Invocation, planDispatch, shellQuoted } from "../core/dispatch.js";
import { ArchRouteError } from "../core/errors.js";
import type { Config } from "../io/config.js";
import type { Output } from "../io/output.js";
import { type CommandResult, type SpawnOptions, spawnCommand } from "../io/spawn.js";
import type { Streams } from "../io/streams.js";
import type { Executed, Routed } from "../ui/format.js";

/** What the commands of a run have in common. */
export interface ExecContext {
  readonly config: Config;
  readonly io: Streams;
  readonly warn: (message: string) => void;
  /** Ends the commands. */
  readonly signal?: AbortSignal | undefined;
  /** The results go to a file, not to standard output. */
  readonly toFile?: boolean;
  /** Identifies the record to its command (ARCH_ROUTE_ID), so that it can tell a repetition. */
  readonly id: string;
}

/** Shows what would run: a line a command, as a shell would have to be given it. */
export async function showCommands(
  routed: Routed,
  conversation: Conversation,
  config: Config,
  output: Output,
): Promise<void> {
  for (const invocation of plan(routed, conversation, config)) await output.write(`${shellQuoted(invocation)}\n`);
}

/** Runs the route's command as if the user had called it: its output is ours, and so is its exit code. */
export async function execute(
  routed: Routed,
  conversation: Conversation,
  output: Output,
  context: ExecContext,
): Promise<number> {
  const { config, io, toFile } = context;
  const inherits = !toFile && typeof (io.stdout as { fd?: unknown }).fd === "number";
  const result = await runChain(plan(routed, conversation, config), context, {
    // Only a command with another behind it has to write through us: we must know whether it has begun to answer.
    last: inherits ? "inherit" : undefined,
    write: async (chunk) => {
      await output.write(chunk);
      return !output.readerGone;
    },
    shareGroup: io.stdout.isTTY === true && config.timeout === undefined,
  });
  await output.close();
  return output.readerGone ? 0 : result.exitCode;
}

/** Runs the route's command and keeps what it writes, up to `limit` bytes, for the record. Never throws for the record's sake. */
export async function executeCaptured(
  routed: Routed,
  conversation: Conversation,
  limit: number,
  context: ExecContext,
): Promise<Routed> {
  const kept: Buffer[] = [];
  let bytes = 0;
  const write = async (chunk: Buffer) => {
    if (bytes < limit) kept.push(chunk.subarray(0, limit - bytes));
    bytes += chunk.length;
    return true;
  };
  try {
    const result = await runChain(plan(routed, conversation, context.config), context, { write, shareGroup: false });
    const { exitCode, signal, invocation } = result;
    const executed: Executed = { command: [invocation.command, ...invocation.args], exitCode, signal };
    // A character that the limit cuts in two becomes U+FFFD.
    return { ...routed, executed: { ...executed, output: Buffer.concat(kept).toString("utf8"), isCut: bytes > limit } };
  } catch (error) {
    if (!(error instanceof ArchRouteError)) throw error;
    return { ...routed, executed: { error } };
  }
}

function plan(routed: Routed, conversation: Conversation, config: Config): Invocation[] {
  const chain = planDispatch(routed.target ?? {}, conversation, config.stdin);
  if (chain.length > 0) return chain;
  const { route, outcome } = routed.routing;
  throw new ArchRouteError(
    "E_CONFIG",
    `${outcome === "matched" ? `route ${route}` : outcome}: there is no command for it`,
    {
      hint: "give it run, or model beside a common command, in the configuration",
    },
  );
}

interface ChainOptions extends Pick<SpawnOptions, "shareGroup"> {
  readonly write: (chunk: Buffer) => Promise<boolean>;
  /** How the last command writes, if not through `write`. */
  readonly last?: "inherit" | undefined;
}

/** Tries the commands in order until one succeeds; one that began to answer is never followed by another. */
async function runChain(
  chain: readonly Invocation[],
  { config, warn, signal, id }: ExecContext,
  { write, last, shareGroup }: ChainOptions,
): Promise<CommandResult & { readonly invocation: Invocation }> {
  for (const [index, invocation] of chain.entries()) {
    const isLast = index === chain.length - 1;
    if ([invocation.input, ...invocation.args].some(hasLoneSurrogate))
      warn("the prompt has half a character: the command gets U+FFFD in its place");
    const result = await spawnCommand(invocation, {
      stdout: isLast && last ? last : write,
      timeout: config.timeout && config.timeout * 1000,
      env: { ARCH_ROUTE_ID: id },
      signal,
      shareGroup,
    });
    if (result.exitCode === 0 || signal?.aborted) return { ...result, invocation };
    const what = `${shellQuoted(invocation)}: ${describe(result)}`;
    if (isLast) {
      if (result.exitCode >= 124 && result.exitCode <= 127) warn(what);
      return { ...result, invocation };
    }
    if (result.wroteOutput) {
      warn(`${what}, after it began to answer: the next command is not tried`);
      return { ...result, invocation };
    }
    warn(`${what}: trying ${shellQuoted(chain[index + 1] as Invocation)}`);
  }
  throw new Error("an empty chain");
}

function describe({ exitCode, signal, timedOut }: CommandResult): string {
  if (timedOut) return "over its time limit";
  if (exitCode === 127) return "not found";
  if (exitCode === 126) return "not executable";
  return signal ? `ended by ${signal}` : `exit code ${exitCode}`;
}

function hasLoneSurrogate(text: string | undefined): boolean {
  return text !== undefined && /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(text);
}
