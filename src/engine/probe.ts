import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { ArchRouteError } from "../core/errors.js";
import type { LlamaEngineOptions } from "./llama.js";
import { faultOfGpu, ModelDeath } from "./model-death.js";
import type { FromProbe, ToProbe } from "./probe-main.js";
import type { Probe } from "./probe-report.js";

export interface ProbeOptions extends LlamaEngineOptions {
  /** The program of the child process. */
  readonly entry?: string;
  /** Milliseconds that it may take. Default: two minutes. */
  readonly timeout?: number;
}

/**
 * Loads a model in a child process, so that a crash of native code is a finding and not the end, and times one token. If it
 * crashes on a GPU: a warning, and the same on the CPU. Throws E_MODEL, E_MODEL_DIED.
 */
export async function probeModel(options: ProbeOptions): Promise<Probe> {
  try {
    return await probeOnce(options);
  } catch (error) {
    const fault = faultOfGpu(error);
    if (fault === undefined) throw error;
    options.warn?.(fault);
    return await probeOnce({ ...options, gpu: "off" });
  }
}

async function probeOnce({ entry, timeout = 120_000, warn, ...options }: ProbeOptions): Promise<Probe> {
  const child = fork(entry ?? fileURLToPath(new URL("./probe-main.js", import.meta.url)), {
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  try {
    return await new Promise<Probe>((resolve, reject) => {
      const slow = `model ${options.modelPath}: loading it and a token took more than ${timeout / 1000} s`;
      const timer = setTimeout(() => reject(new ArchRouteError("E_MODEL", slow)), timeout);
      let gpu: string | undefined;
      const end = (how: string) => {
        clearTimeout(timer);
        reject(new ModelDeath(how, gpu, "try --gpu off, --threads 1 or another model"));
      };
      child.once("error", (cause) => end(cause.message));
      child.once("exit", (code, signal) => end(signal ?? `exit code ${code}`));
      child.on("message", (message: FromProbe) => {
        if (message.kind === "warning") return warn?.(message.message);
        if (message.kind === "gpu") {
          gpu = message.gpu;
          return;
        }
        clearTimeout(timer);
        if (message.kind === "report") return resolve(message.report);
        reject(
          new ArchRouteError("E_MODEL", message.message, message.hint === undefined ? {} : { hint: message.hint }),
        );
      });
      child.send({ options } satisfies ToProbe, () => undefined);
    });
  } finally {
    child.kill("SIGKILL");
  }
}
