/** The child process of worker.ts: loads one model and ranks what it is sent. */
import type { Conversation } from "../core/conversation.js";
import type { Engine, Scores } from "../core/engine.js";
import { ArchRouteError } from "../core/errors.js";
import type { Route } from "../core/route.js";
import { createLlamaEngine, type LlamaEngineOptions } from "./llama.js";

export type ToWorker =
  | { readonly kind: "load"; readonly options: LlamaEngineOptions }
  /** Without `routes`: those of the call before. */
  | {
      readonly kind: "rank";
      readonly id: number;
      readonly conversation: Conversation;
      readonly routes?: readonly Route[];
    };

interface PlainError {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

export type FromWorker =
  | { readonly kind: "warning"; readonly message: string }
  /** The model is about to run on this GPU. */
  | { readonly kind: "gpu"; readonly gpu: string }
  | { readonly kind: "ready"; readonly model: string }
  | { readonly kind: "failed"; readonly error: PlainError }
  | { readonly kind: "scores"; readonly id: number; readonly scores: Scores }
  | { readonly kind: "error"; readonly id: number; readonly error: PlainError };

let engine: Engine | undefined;
let routes: readonly Route[] = [];

// An interrupt at the terminal reaches the whole group; the parent decides when this process ends.
process.on("SIGINT", () => undefined);
// Without a parent nobody waits for what is under way, which may take minutes.
process.once("disconnect", () => process.kill(process.pid, "SIGKILL"));
process.on("message", (message: ToWorker) => void answer(message));

async function answer(message: ToWorker): Promise<void> {
  if (message.kind === "load") return await load(message.options);
  routes = message.routes ?? routes;
  const { id, conversation } = message;
  try {
    if (!engine) throw new Error("no model is loaded");
    send({ kind: "scores", id, scores: await engine.rank(routes, conversation) });
  } catch (error) {
    send({ kind: "error", id, error: plain(error) });
  }
}

async function load(options: LlamaEngineOptions): Promise<void> {
  try {
    engine = await createLlamaEngine({
      ...options,
      warn: (message) => send({ kind: "warning", message }),
      onGpu: (gpu) => send({ kind: "gpu", gpu }),
    });
    send({ kind: "ready", model: engine.model });
  } catch (error) {
    send({ kind: "failed", error: plain(error) });
  }
}

function send(message: FromWorker): void {
  process.send?.(message);
}

function plain(error: unknown): PlainError {
  if (!(error instanceof ArchRouteError))
    return { code: "E_MODEL", message: error instanceof Error ? error.message : String(error) };
  return { code: error.code, message: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) };
}
