import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    dir: "test",
    root: new URL("..", import.meta.url).pathname,
    exclude: ["**/model-generative/**"],
    // One more than the cores that CI has: much of the time goes into waiting for spawned processes.
    maxWorkers: 3,
    minWorkers: 1,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
