import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    dir: "test/model-generative",
    globalSetup: new URL("helpers/temporary.ts", import.meta.url).pathname,
    root: new URL("..", import.meta.url).pathname,
    maxWorkers: 1,
    minWorkers: 1,
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
