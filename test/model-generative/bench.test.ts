import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const program = fileURLToPath(new URL("../bench/bench.mjs", import.meta.url));

describe("the benchmark", () => {
  it("measures what is there, says how to get what is not, and describes the machine", async () => {
    const missing = ["--gguf", "--llama-server", "--python"].flatMap((option) => [option, "/nonexistent"]);
    const args = [program, "--quick", ...missing];
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args);
    expect(stderr).toMatch(/^1\.5b: skipped: .*; arch-route models pull arch-router/m);
    expect(stderr).toMatch(/^llama-server: skipped: .*; brew install llama\.cpp/m);
    expect(stderr).toMatch(/^the model card's Python: skipped: .* pip install torch transformers/m);
    expect(stdout).toMatch(/^.+, \d+ cores, \d+ GiB, .+; load [\d.]+ at the start, .+; 1 thread on every side/);
    const rows = ["start-up", "memory, without a model", "one routing, cold", "one routing, warm", "records a second"];
    for (const what of rows) expect(stdout).toContain(`\n| ${what}`);
  }, 300_000);
});
