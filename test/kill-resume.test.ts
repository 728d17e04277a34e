import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const script = fileURLToPath(new URL("long/kill-resume.mjs", import.meta.url));

it("a batch that is killed 20 times ends in the file of an unbroken run", { timeout: 240_000 }, async () => {
  const run = promisify(execFile)(process.execPath, [script, "20", "200"]);
  // Its summary says what was different, if anything was.
  const { stdout } = await run.catch((error: { readonly stdout: string }) => error);
  expect(JSON.parse(stdout)).toMatchObject({ kills: 20, isSame: true });
});
