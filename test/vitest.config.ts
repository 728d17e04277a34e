import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    dir: "test",
    root: new URL("..", import.meta.url).pathname,
    exclude: ["**/model-generative/**"],
    // Two cores: a model in one worker and spawned processes in another are as much as they hold.
    maxWorkers: 2,
    minWorkers: 1,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
