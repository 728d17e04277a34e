import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const script = fileURLToPath(new URL("long/kill-resume.mjs", import.meta.url));

it("a batch that is killed 20 times ends in the file of an unbroken run", { timeout: 240_000 }, async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [script, "20", "200", "--plain", "--top", "6"]);
  const { kills, isSame } = JSON.parse(stdout);
  expect([kills, isSame]).toEqual([20, true]);
});
