import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Conversation } from "../core/conversation.js";
import type { Engine, Scores } from "../core/engine.js";
import { ArchRouteError, type ErrorCode } from "../core/errors.js";
import type { Route } from "../core/route.js";
import type { LlamaEngineOptions } from "./llama.js";
import { faultOfGpu, ModelDeath } from "./model-death.js";
import type { FromWorker, ToWorker } from "./worker-main.js";

export interface WorkerOptions extends LlamaEngineOptions {
  /** The program of the child process. */
  readonly entry?: string;
  /** Milliseconds that loading the model may take. Default: five minutes. */
  readonly loadTimeout?: number;
  /** Ends the process, even one that is still loading; what was asked of it rejects with E_MODEL_DIED. */
  readonly signal?: AbortSignal | undefined;
}

/** How often in a row a new process may be started without one answer in between. */
const MOST_DEATHS = 3;

/**
 * An engine in a child process: if native code aborts there, the call that was under way rejects with E_MODEL_DIED and
 * the next one starts a new process. One that aborts on a GPU before it ever gave an answer is followed at once, with a
 * warning, by one on the CPU: so do drivers end that are too old for the library. Throws E_MODEL if the model cannot be loaded.
 */
export async function createWorkerEngine(options: WorkerOptions): Promise<Engine> {
  const end = new AbortController();
  const signal = AbortSignal.any([end.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  let settings: WorkerOptions = { ...options, signal };
  let disposed = false;
  let answered = false;
  let deaths = 0;
  let isUp = false;
  let worker: Promise<Worker> | undefined = start();

  function start(): Promise<Worker> {
    isUp = false;
    const started = startWorker(settings);
    started.then(
      () => {
        isUp = true;
      },
      () => undefined,
    );
    return started;
  }

  /** Turns the GPU off if it is to blame for an error and has never worked; false: it is not. */
  function leaveGpu(error: unknown): boolean {
    const fault = faultOfGpu(error);
    if (fault === undefined || answered || disposed || signal.aborted) return false;
    if (settings.gpu !== "off") options.warn?.(fault);
    settings = { ...settings, gpu: "off" };
    deaths = 0;
    return true;
  }

  async function rank(routes: readonly Route[], conversation: Conversation): Promise<Scores> {
    if (disposed) throw new Error("the engine is disposed");
    if (worker === undefined && deaths >= MOST_DEATHS) {
      throw new ModelDeath(`${deaths} times in a row`, undefined, "try --gpu off or another model");
    }
    worker ??= start();
    const current = worker;
    try {
      const scores = await (await current).rank(routes, conversation);
      deaths = 0;
      answered = true;
      return scores;
    } catch (error) {
      // Calls that overlap all learn of one death; it counts once.
      const over = await isOver(current);
      if (over && worker === current) {
        deaths++;
        worker = undefined;
      }
      if (over && leaveGpu(error)) return await rank(routes, conversation);
      throw error;
    }
  }

  const { model } = await worker.catch((error) => {
    if (!leaveGpu(error)) throw error;
    worker = start();
    return worker;
  });
  return {
    model,
    rank,
    async dispose() {
      disposed = true;
      // One that is still loading may take minutes to come up.
      if (!isUp) end.abort();
      await worker?.then(
        ({ stop }) => stop(),
        () => undefined,
      );
    },
  };
}

/** A worker that died, or never came up. */
function isOver(worker: Promise<Worker>): Promise<boolean> {
  return worker.then(
    ({ isDead }) => isDead(),
    () => true,
  );
}

interface Worker {
  readonly model: string;
  readonly rank: Engine["rank"];
  isDead(): boolean;
  stop(): Promise<void>;
}

async function startWorker({ entry, loadTimeout = 300_000, signal, warn, ...options }: WorkerOptions): Promise<Worker> {
  const child = fork(entry ?? fileURLToPath(new URL("./worker-main.js", import.meta.url)), {
    // What native code prints when it aborts must not end up among the results.
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    // JSON would turn -Infinity, the score of the impossible, into null.
    serialization: "advanced",
    // A debugger's port, or the program of `node -e`, is the parent's alone.
    execArgv: [],
    // Loading cannot be stopped in any other way.
    signal,
    killSignal: "SIGKILL",
  });
  const waiting = new Map<number, { resolve(scores: Scores): void; reject(error: Error): void }>();
  let gpu: string | undefined;
  const gone = new Promise<ArchRouteError>((resolve) => {
    child.once("error", (cause) => resolve(new ModelDeath(cause.message, undefined)));
    child.once("exit", (code, signal) => {
      resolve(new ModelDeath(signal ?? `exit code ${code}`, gpu));
    });
  });
  let death: ArchRouteError | undefined;
  void gone.then((error) => {
    death = error;
    for (const { reject } of waiting.values()) reject(error);
  });

  const model = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(
      () =>
        reject(
          new ArchRouteError("E_MODEL", `model ${options.modelPath}: loading took more than ${loadTimeout / 1000} s`),
        ),
      loadTimeout,
    );
    void gone.then((error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on("message", (message: FromWorker) => {
      if (message.kind === "warning") warn?.(message.message);
      else if (message.kind === "gpu") gpu = message.gpu;
      else if (message.kind === "ready") resolve(message.model);
      else if (message.kind === "failed") reject(revive(message.error));
      else settle(waiting, message);
      if (message.kind !== "warning" && message.kind !== "gpu") clearTimeout(timer);
    });
    send(child, { kind: "load", options });
  }).catch((error) => {
    // A child that stays would keep this process from ending.
    child.kill("SIGKILL");
    throw error;
  });

  let next = 0;
  let lastRoutes: readonly Route[] | undefined;
  return {
    model,
    rank(routes, conversation) {
      const id = next++;
      return new Promise((resolve, reject) => {
        if (death) return reject(death);
        waiting.set(id, { resolve, reject });
        // Routes seldom change between records: sent once, the child keeps its work on them.
        send(child, { kind: "rank", id, conversation, ...(routes === lastRoutes ? {} : { routes }) });
        lastRoutes = routes;
      });
    },
    isDead: () => death !== undefined,
    async stop() {
      if (child.connected) child.disconnect();
      child.kill("SIGTERM");
      await gone;
    },
  };
}

function settle(
  waiting: Map<number, { resolve(scores: Scores): void; reject(error: Error): void }>,
  message: Extract<FromWorker, { kind: "scores" | "error" }>,
): void {
  const call = waiting.get(message.id);
  waiting.delete(message.id);
  if (message.kind === "scores") call?.resolve(message.scores);
  else call?.reject(revive(message.error));
}

function send(child: ChildProcess, message: ToWorker): void {
  // A child that is gone is reported by its exit.
  child.send(message, () => undefined);
}

function revive(error: { code: string; message: string; hint?: string }): ArchRouteError {
  return new ArchRouteError(
    error.code as ErrorCode,
    error.message,
    error.hint === undefined ? {} : { hint: error.hint },
  );
}
