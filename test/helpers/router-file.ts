import { ggufBytes, string, strings } from "./gguf-writer.js";

/** A tiny GGUF whose header is that of a router; `padding` bytes of weights. */
export function routerFile(padding = 0): Buffer {
  return ggufBytes({
    metadata: [
      ["general.architecture", string("qwen2")],
      ["tokenizer.ggml.tokens", strings(["a", "<|im_start|>", "<|im_end|>"])],
    ],
    tensors: [{ name: "t", dimensions: [8 + padding / 4] }],
  });
}
