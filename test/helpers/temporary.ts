import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Vitest's global setup: what the tests leave in temporary folders goes with the run. */
export default function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), "arch-route-tests-"));
  process.env["TMPDIR"] = folder;
  return () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
