/** The child process of probe.ts: what native code does to it is told by its end. */
import { ArchRouteError } from "../core/errors.js";
import type { LlamaEngineOptions } from "./llama.js";
import { probeLlama } from "./probe-llama.js";
import type { Probe } from "./probe-report.js";

export interface ToProbe {
  readonly options: LlamaEngineOptions;
}

export type FromProbe =
  | { readonly kind: "warning"; readonly message: string }
  /** The model is about to run on this GPU. */
  | { readonly kind: "gpu"; readonly gpu: string }
  | { readonly kind: "report"; readonly report: Probe }
  | { readonly kind: "failed"; readonly message: string; readonly hint?: string };

process.on("message", (message: ToProbe) => void answer(message));

async function answer({ options }: ToProbe): Promise<void> {
  try {
    const warn = (message: string) => send({ kind: "warning", message });
    const onGpu = (gpu: string) => send({ kind: "gpu", gpu });
    send({ kind: "report", report: await probeLlama({ ...options, warn, onGpu }) });
  } catch (error) {
    const { message } = error as Error;
    const hint = error instanceof ArchRouteError ? error.hint : undefined;
    send({ kind: "failed", message, ...(hint !== undefined && { hint }) });
  }
}

function send(message: FromProbe): void {
  process.send?.(message);
}
