import { chmodSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { folderFault, freeSpace, preparePrivateFolder } from "../../src/io/private-folder.js";
import { temporaryFolder } from "../helpers/run-cli.js";

describe("preparePrivateFolder", () => {
  it("makes folders that only the user can enter", async () => {
    const folder = join(temporaryFolder(), "a", "b");
    await preparePrivateFolder(folder);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  it.each([0o700, 0o755, 0o750])("takes one of mode %o", async (mode) => {
    const folder = temporaryFolder();
    chmodSync(folder, mode);
    await expect(preparePrivateFolder(folder)).resolves.toBeUndefined();
  });

  it.each([0o777, 0o770, 0o702, 0o1777])("refuses one of mode %o", async (mode) => {
    const folder = temporaryFolder();
    chmodSync(folder, mode);
    await expect(preparePrivateFolder(folder)).rejects.toMatchObject({
      code: "E_DOWNLOAD",
      message: /others may write/,
    });
  });

  it("refuses a file", async () => {
    const file = join(temporaryFolder(), "file");
    writeFileSync(file, "");
    await expect(preparePrivateFolder(join(file, "x"))).rejects.toMatchObject({
      code: "E_DOWNLOAD",
      hint: /XDG_CACHE_HOME/,
    });
  });
});

it.runIf(process.getuid?.() === 0)("a folder of another user is no private one", async () => {
  const { chownSync } = await import("node:fs");
  const folder = temporaryFolder();
  mkdirSync(folder, { recursive: true });
  chownSync(folder, 12_345, 12_345);
  expect(await folderFault(folder)).toMatchObject({ why: "it belongs to another user" });
});

it("free space is a number of bytes, or not known", async () => {
  expect(await freeSpace(temporaryFolder())).toBeGreaterThan(0);
  expect(await freeSpace("/nowhere/at/all")).toBeUndefined();
});
