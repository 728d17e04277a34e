/** What a model runs on here, and how fast. */
export interface Probe {
  /** Version of node-llama-cpp. */
  readonly library: string;
  /** Release of the llama.cpp in it. */
  readonly llamaCpp: string;
  readonly build: string;
  /** Cores that are good for arithmetic, as llama.cpp counts them. */
  readonly mathCores: number;
  /** What it computes on; false: the CPU alone. */
  readonly gpu: string | false;
  /** Names of the GPUs that could be used, as the driver gives them. */
  readonly devices: readonly string[];
  /** Layers of the model that are on the GPU. */
  readonly gpuLayers: number;
  /** Medians of one token, the first one with the threads that are used. */
  readonly timings: readonly { readonly threads: number; readonly milliseconds: number }[];
}

const RUNS = 5;

/** Median of some runs in milliseconds, after one that does not count. */
export async function medianTime(run: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  await run();
  for (let count = 0; count < RUNS; count++) {
    const before = performance.now();
    await run();
    times.push(performance.now() - before);
  }
  return times.sort((a, b) => a - b)[(RUNS - 1) / 2] ?? 0;
}
