import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    dir: "test/remote",
    globalSetup: new URL("helpers/temporary.ts", import.meta.url).pathname,
    root: new URL("..", import.meta.url).pathname,
    maxWorkers: 1,
    minWorkers: 1,
    // 120 conversations with a server that reads them on one thread.
    testTimeout: 3_600_000,
    hookTimeout: 3_600_000,
    passWithNoTests: true,
  },
});
