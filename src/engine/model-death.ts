import { ArchRouteError } from "../core/errors.js";

/** Signals by which others end a process; whatever else ends it is its own doing. */
const fromOutside: ReadonlySet<string> = new Set(["SIGHUP", "SIGINT", "SIGTERM", "SIGKILL"]);

/** The end of a model's process that nobody asked for. */
export class ModelDeath extends ArchRouteError {
  /** `how`: a signal, an exit code, or why it did not start. `gpu`: the one that the model was on, if on one. */
  constructor(
    readonly how: string,
    readonly gpu: string | undefined,
    hint = "if it happens again, try --gpu off or another model",
  ) {
    super("E_MODEL_DIED", `model process died (${how})`, { hint });
  }
}

/** What to warn of where the model goes on on the CPU after an error; undefined: the error is not a GPU's doing. */
export function faultOfGpu(error: unknown): string | undefined {
  if (!(error instanceof ModelDeath) || error.gpu === undefined || fromOutside.has(error.how)) return undefined;
  return `gpu ${error.gpu}: ${error.message}: running on the CPU; --gpu off spares the attempt`;
}
