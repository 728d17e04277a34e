import { ArchRouteError, exitCodes, gravestExitCode } from "../core/errors.js";
import { jsonLine, printable } from "../core/printable.js";
import { readGgufHeader } from "../engine/gguf.js";
import type { Probe } from "../engine/probe-report.js";
import { chooseThreads, type Machine, readMachine } from "../engine/threads.js";
import { embeddedModel } from "../io/bundled.js";
import { type Config, type Flags, resolveConfig } from "../io/config.js";
import { findFolders } from "../io/folders.js";
import { examineCache, examineHome, isRuntimeOld, readDriver, runtime } from "../io/health.js";
import { findModel, type ModelFile } from "../io/model-file.js";
import { findStores } from "../io/model-stores.js";
import { hasColour, type Streams } from "../io/streams.js";
import { hashFile, markVerified } from "../io/verified.js";
import { createChalk } from "../ui/colour.js";
import { type Finding, formatFinding } from "../ui/format-doctor.js";

/** What a doctor may be given in place of the real thing. */
export interface DoctorTools {
  readonly machine?: Machine;
  readonly probe?: (
    options: Subject & { readonly modelPath: string; readonly warn: (message: string) => void },
  ) => Promise<Probe>;
}

/** What is looked at, whether or not the configuration could be read. */
type Subject = Pick<Config, "folders" | "stores" | "gpu" | "model" | "threads"> &
  Partial<Pick<Config, "server" | "access">>;

/** A finding, and the exit code that it leads to. */
type Found = Finding & { readonly code?: number };

/** `doctor`: looks at everything that routing needs. Prints each finding as it comes; the code of the gravest. */
export async function examine(flags: Flags, json: boolean, io: Streams, tools: DoctorTools = {}): Promise<number> {
  const chalk = createChalk(hasColour(io.stdout, io.env));
  const findings: Found[] = [];
  for await (const found of lookAround(flags, io, tools)) {
    findings.push(found);
    if (!json) io.stdout.write(formatFinding(found, chalk));
  }
  if (json) io.stdout.write(`${jsonLine({ findings: findings.map(({ code: _, ...finding }) => finding) })}\n`);
  return gravestExitCode(findings.flatMap(({ code }) => code ?? []));
}

async function* lookAround(flags: Flags, io: Streams, tools: DoctorTools): AsyncGenerator<Found> {
  yield nodeFinding();
  const { subject, found } = await readConfig(flags, io);
  yield found;
  yield homeFinding(io);
  yield* serverFindings(subject);
  yield* cacheFindings(await examineCache(subject.folders.cache));
  const { file, found: modelFound } = await examineModel(subject);
  yield modelFound;
  const machine = tools.machine ?? readMachine();
  yield threadFinding(subject, machine);
  // With a model that cannot be used, the library can still be looked at.
  yield* nativeFindings(file?.path ?? embeddedModel.path, subject, tools);
}

function nodeFinding(): Found {
  if (!isRuntimeOld()) return ok("Node", runtime());
  return warning("Node", `${runtime()}: older than what this is tested on`, "install Node 20.18.1 or newer");
}

async function readConfig(flags: Flags, io: Streams): Promise<{ subject: Subject; found: Found }> {
  try {
    const config = await resolveConfig(flags, io);
    const set = [...config.origins].filter(([, origin]) => origin !== "default");
    const shown = set.map(([key, origin]) => `${key} from ${origin}`).join(", ") || "nothing set, all as shipped";
    const [first] = config.warnings;
    const found =
      first === undefined ? ok("configuration", shown) : warning("configuration", first, "see arch-route config");
    return { subject: config, found };
  } catch (error) {
    const subject: Subject = {
      folders: findFolders(io.env),
      stores: findStores(io.env),
      gpu: "auto",
      model: undefined,
      threads: undefined,
    };
    return { subject, found: problem("configuration", error, "see arch-route config") };
  }
}

function homeFinding(io: Streams): Found {
  const { path, named, exists } = examineHome(io.env);
  if (named && exists) return ok("home", path);
  const why = named ? `${path} does not exist` : `HOME is not set, ${path} is taken for it`;
  return warning("home", why, "set HOME, or XDG_CONFIG_HOME, XDG_CACHE_HOME and XDG_STATE_HOME");
}

/** Whether the server answers, if one is in use; what is below is then about what would run without it. */
async function* serverFindings({ server, access }: Subject): AsyncGenerator<Found> {
  if (server === undefined || access === undefined) return;
  try {
    const { connectCompletionServer } = await import("../io/completion-client.js");
    const client = await connectCompletionServer({ ...server, access });
    const { tokens } = await client.next("{", 20).finally(() => client.close());
    const size = client.context === undefined ? "" : `, a context of ${client.context} tokens`;
    yield ok(
      "server",
      `${server.url.href} answers: ${client.model}${size}, ${count(tokens.size, "likely token")} listed`,
    );
  } catch (error) {
    yield problem("server", error, "look at --url, or use --engine llama");
  }
}

function* cacheFindings({ folder, readOnly, fault, free }: Awaited<ReturnType<typeof examineCache>>): Generator<Found> {
  if (readOnly !== undefined) {
    yield warning(
      "cache",
      `${folder} cannot be written (${readOnly}): each start is slower and nothing can be fetched`,
      "set XDG_CACHE_HOME to a folder that can be written",
    );
  } else if (fault !== undefined) yield warning("cache", `${folder}: ${fault.why}`, fault.hint);
  else yield ok("cache", `${folder}, ${space(free)} free`);
}

/** Every byte of the model that would be used. */
async function examineModel(subject: Subject): Promise<{ file: ModelFile | undefined; found: Found }> {
  try {
    const file = await findModel(subject.model, subject.folders, subject.stores, { verified: false });
    const { size } = readGgufHeader(file.path);
    const sum = file.embedded ? embeddedModel.sha256 : file.stored?.sha256;
    const what = `${file.path}, ${Math.round(size / 1e6)} MB`;
    if (sum === undefined) {
      return { file, found: ok("model", `${what}: its header is sound, there is no sha256 to compare it with`) };
    }
    const found = await hashFile(file.path);
    if (found !== sum) throw damaged(file, found, sum);
    await markVerified(file.path, sum, subject.folders);
    return { file, found: ok("model", `${what}: verified, sha256 ${sum.slice(0, 12)}…`) };
  } catch (error) {
    return { file: undefined, found: problem("model", error, "use --model mini, or fetch it again") };
  }
}

function damaged({ path, embedded }: ModelFile, found: string, sum: string): ArchRouteError {
  return new ArchRouteError("E_MODEL", `model ${path}: damaged: its sha256 is ${found}, not ${sum}`, {
    hint: embedded ? "install arch-route again" : "remove it and fetch it again, or use --model mini",
  });
}

function threadFinding({ threads }: Subject, machine: Machine): Found {
  const { cores, quota, load } = machine;
  const why = `${count(cores, "core")} to run on, ${quota === undefined ? "no quota" : `a quota of ${quota}`}, load ${load.toFixed(2)}`;
  if (threads === undefined) return ok("threads", `${chooseThreads(machine)}, chosen from ${why}`);
  if (threads <= cores) return ok("threads", `${threads}, as set; ${why}`);
  return warning(
    "threads",
    `${threads} are set, with ${why}`,
    "leave --threads out: more threads than cores wait for each other",
  );
}

/** What native code makes of the model, and of `mini` if it can make nothing of the model. */
async function* nativeFindings(modelPath: string, subject: Subject, tools: DoctorTools): AsyncGenerator<Found> {
  const warnings: string[] = [];
  const warn = (message: string) => void warnings.push(message);
  try {
    const probe = tools.probe ?? (await import("../engine/probe.js")).probeModel;
    const { folders, gpu, threads } = subject;
    const report = await probe({ ...subject, modelPath, gpu, threads, cache: folders.cache, warn });
    yield ok("library", `node-llama-cpp ${report.library}, llama.cpp ${report.llamaCpp}, ${report.build}`);
    yield gpuFinding(report, subject, warnings);
    yield timingFinding(report);
  } catch (error) {
    if (modelPath === embeddedModel.path) {
      yield problem("library", error, "install arch-route again; on Alpine and other musl systems there is no binary");
    } else {
      yield problem("model", error, "use --model mini, or another file");
      yield* nativeFindings(embeddedModel.path, subject, tools);
    }
  }
}

function gpuFinding({ gpu, devices, gpuLayers }: Probe, subject: Subject, warnings: readonly string[]): Found {
  const [first] = warnings;
  if (first !== undefined) return warning("GPU", first, "look at the driver, or use --gpu off");
  const driver = readDriver();
  if (subject.gpu === "off") return ok("GPU", "off, as set");
  if (devices.length > 0) {
    const use =
      gpu === false
        ? "not used: this model is small, it runs on the CPU"
        : `${gpu}, ${count(gpuLayers, "layer")} on it`;
    return ok("GPU", `${devices.join(", ")}: ${use}`);
  }
  if (driver === undefined) return ok("GPU", "none seen, the CPU is used");
  return warning(
    "GPU",
    `the driver is there (${driver}), but no device that can be used`,
    "install without --omit=optional, which leaves the GPU packages out",
  );
}

function timingFinding({ timings, mathCores }: Probe): Found {
  const shown = timings.map(
    ({ threads, milliseconds }) => `${milliseconds.toFixed(1)} ms with ${count(threads, "thread")}`,
  );
  const best = timings.reduce((a, b) => (b.milliseconds < a.milliseconds ? b : a));
  const detail = `${shown.join(", ")}; ${count(mathCores, "core")} good for arithmetic`;
  if ((timings[0]?.milliseconds ?? 0) <= 3 * best.milliseconds) return ok("one token", detail);
  return warning("one token", detail, `use --threads ${best.threads}: other work is using the cores`);
}

function ok(what: string, detail: string): Found {
  return { what, state: "ok", detail, advice: null };
}

function warning(what: string, detail: string, advice: string): Found {
  return { what, state: "warning", detail, advice };
}

function problem(what: string, error: unknown, advice: string): Found {
  const { message } = error as Error;
  const known = error instanceof ArchRouteError ? error : undefined;
  const code = exitCodes[known?.code ?? "E_MODEL"];
  return { what, state: "problem", detail: printable(message), advice: known?.hint ?? advice, code };
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

function space(bytes: number | undefined): string {
  return bytes === undefined ? "unknown space" : `${(bytes / 1e9).toFixed(1)} GB`;
}
