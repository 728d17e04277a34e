import { appendFileSync, copyFileSync, renameSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { identityOf } from "../../src/engine/identity.js";
import { temporaryFolder } from "../helpers/run-cli.js";

/** When the file was last written to, as it says itself. */
const WRITTEN = 1_700_000_000;

function model() {
  const path = join(temporaryFolder(), "model.gguf");
  writeFileSync(path, "weights");
  utimesSync(path, WRITTEN, WRITTEN);
  return path;
}

describe("the identity of an evaluation", () => {
  it("is the same for the same file and build", () => {
    const path = model();
    expect(identityOf(path, ["3.22.1", false])).toBe(identityOf(path, ["3.22.1", false]));
  });

  it("is another for another build", () => {
    const path = model();
    expect(identityOf(path, ["3.22.1", false])).not.toBe(identityOf(path, ["3.22.2", false]));
    expect(identityOf(path, ["3.22.1", false])).not.toBe(identityOf(path, ["3.22.1", "cuda"]));
  });

  it.each<[string, (path: string) => void]>([
    ["grew", (path) => appendFileSync(path, "more")],
    ["was written over with as many bytes", (path) => rewrite(path, () => writeFileSync(path, "WEIGHTS"))],
    ["was replaced by one of the same size and time", (path) => rewrite(path, () => replace(path))],
  ])("is another when the file %s", async (_, change) => {
    const path = model();
    const before = identityOf(path, []);
    await new Promise((resolve) => setTimeout(resolve, 20));
    change(path);
    expect(identityOf(path, [])).not.toBe(before);
  });
});

/** Changes a file and puts its time back. */
function rewrite(path: string, change: () => void): void {
  change();
  utimesSync(path, WRITTEN, WRITTEN);
}

function replace(path: string): void {
  copyFileSync(path, `${path}.new`);
  renameSync(`${path}.new`, path);
}
