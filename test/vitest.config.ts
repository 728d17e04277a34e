import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    dir: "test",
    globalSetup: new URL("helpers/temporary.ts", import.meta.url).pathname,
    root: new URL("..", import.meta.url).pathname,
    exclude: ["**/model-generative/**", "**/remote/**"],
    // One more than the cores that CI has: much of the time goes into waiting for spawned processes.
    maxWorkers: 3,
    minWorkers: 1,
    // CI's machines are shared and noisy: a test that waits for a process gets a second chance there.
    retry: Number(process.env["TEST_RETRIES"] ?? (process.env["CI"] ? 1 : 0)),
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
