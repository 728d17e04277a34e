import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { ArchRouteError } from "../core/errors.js";
import type { LlamaEngineOptions } from "./llama.js";
import type { FromProbe, ToProbe } from "./probe-main.js";
import type { Probe } from "./probe-report.js";

export interface ProbeOptions extends LlamaEngineOptions {
  /** The program of the child process. */
  readonly entry?: string;
  /** Milliseconds that it may take. Default: two minutes. */
  readonly timeout?: number;
}

/**
 * Loads a model in a child process, so that a crash of native code is a finding and not the end, and times one token.
 * Throws E_MODEL, E_MODEL_DIED.
 */
export async function probeModel({ entry, timeout = 120_000, warn, ...options }: ProbeOptions): Promise<Probe> {
  const child = fork(entry ?? fileURLToPath(new URL("./probe-main.js", import.meta.url)), {
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  try {
    return await new Promise<Probe>((resolve, reject) => {
      const slow = `model ${options.modelPath}: loading it and a token took more than ${timeout / 1000} s`;
      const timer = setTimeout(() => reject(new ArchRouteError("E_MODEL", slow)), timeout);
      const end = (how: string) => {
        clearTimeout(timer);
        const hint = "try --gpu off, --threads 1 or another model";
        reject(new ArchRouteError("E_MODEL_DIED", `model process died (${how})`, { hint }));
      };
      child.once("error", (cause) => end(cause.message));
      child.once("exit", (code, signal) => end(signal ?? `exit code ${code}`));
      child.on("message", (message: FromProbe) => {
        if (message.kind === "warning") return warn?.(message.message);
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
