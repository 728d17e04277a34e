import {
  type ChildOptions,
  isEncoderHeader,
  type LlamaEngineOptions,
  type Loaded,
  libraryVersion,
  load,
  openEncoder,
  readRouterHeader,
  startLlama,
} from "./llama.js";
import { openText } from "./llama-text.js";
import { medianTime, type Probe } from "./probe-report.js";

/**
 * Loads a model and says what it runs on, and how long it takes over one token (encoders: a word) with all, half and one
 * of the threads. Throws E_MODEL.
 */
export async function probeLlama(options: ChildOptions): Promise<Probe> {
  const isEncoder = isEncoderHeader(readRouterHeader(options.modelPath));
  const devices = await seeDevices(options);
  const loaded = await load(isEncoder ? { ...options, gpu: "off" } : options);
  const { llama, model, threads } = loaded;
  try {
    const timings = [];
    for (const count of new Set([threads, Math.ceil(threads / 2), 1])) {
      const run = await smallestRun({ ...loaded, threads: count }, isEncoder);
      timings.push({ threads: count, milliseconds: await medianTime(run) });
    }
    return {
      library: await libraryVersion(),
      llamaCpp: llama.llamaCppRelease.release,
      build: llama.buildType,
      mathCores: llama.cpuMathCores,
      gpu: llama.gpu,
      devices,
      gpuLayers: model.gpuLayers,
      timings,
    };
  } finally {
    await llama.dispose();
  }
}

/** The GPUs that could be used, whether the model needs one or not. */
async function seeDevices(options: LlamaEngineOptions): Promise<readonly string[]> {
  if (options.gpu === "off") return [];
  const llama = await startLlama(options, []);
  try {
    return llama.gpu === false ? [] : await llama.getGpuDeviceNames();
  } finally {
    await llama.dispose();
  }
}

async function smallestRun(loaded: Loaded, isEncoder: boolean): Promise<() => Promise<unknown>> {
  if (isEncoder) {
    const encoder = await openEncoder(loaded);
    const tokens = encoder.tokenize("word");
    return () => encoder.embed(tokens);
  }
  const text = await openText(loaded, { context: 512 });
  const tokens = text.tokenize("word", false).slice(0, 1);
  return () => text.truncate(0).then(() => text.evaluate(tokens));
}
