import { constants } from "node:os";

/** The part of `process` that signals come from. */
export interface SignalSource {
  readonly pid: number;
  on(signal: NodeJS.Signals, listener: () => void): unknown;
  off(signal: NodeJS.Signals, listener: () => void): unknown;
  kill(pid: number, signal: NodeJS.Signals): unknown;
}

export interface Interrupt {
  /** Aborted by the first signal; its reason is the exit code, 128 + the signal's number. */
  readonly signal: AbortSignal;
  /** Gives the signals their usual effect again. */
  dispose(): void;
}

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Turns the first interrupt into an AbortSignal; a second one ends the process as if nobody had listened. */
export function listenForInterrupts(source: SignalSource): Interrupt {
  const controller = new AbortController();
  const listeners = signals.map((name) => {
    const listener = () => {
      if (!controller.signal.aborted) return controller.abort(128 + constants.signals[name]);
      dispose();
      source.kill(source.pid, name);
    };
    source.on(name, listener);
    return [name, listener] as const;
  });
  // A file-size limit then fails the write, which is reported, instead of killing the process.
  const ignore = () => undefined;
  source.on("SIGXFSZ" as NodeJS.Signals, ignore);
  const dispose = () => {
    for (const [name, listener] of listeners) source.off(name, listener);
    source.off("SIGXFSZ" as NodeJS.Signals, ignore);
  };
  return { signal: controller.signal, dispose };
}
