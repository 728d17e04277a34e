import { chmodSync, existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { examineCache, examineHome, isRuntimeOld, readDriver, runtime } from "../../src/io/health.js";
import { temporaryFolder } from "../helpers/run-cli.js";
import { folderWith } from "./temporary-files.js";

it.each([
  ["v18.20.0", true],
  ["v20.17.0", true],
  ["v20.18.1", false],
  ["v24.0.0", false],
])("Node %s is old: %s", (version, old) => {
  expect(isRuntimeOld(version)).toBe(old);
});

it("says what it runs on", () => {
  expect(runtime()).toBe(`${process.version} on ${process.platform} ${process.arch}`);
});

describe("examineCache", () => {
  it("makes a folder, and leaves nothing in it", async () => {
    const folder = join(temporaryFolder(), "a", "b");
    expect(await examineCache(folder)).toMatchObject({
      folder,
      readOnly: undefined,
      fault: undefined,
      free: expect.any(Number),
    });
    expect(readdirSync(folder)).toEqual([]);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  it("sees what cannot be written", async () => {
    const file = join(folderWith({ file: "" }), "file");
    expect((await examineCache(join(file, "x"))).readOnly).toMatch(/ENOTDIR|EEXIST/);
  });

  it("sees who else may write", async () => {
    const folder = temporaryFolder();
    mkdirSync(folder, { recursive: true });
    chmodSync(folder, 0o770);
    expect((await examineCache(folder)).fault?.why).toMatch(/others/);
  });
});

it.each([
  [{ HOME: "/" }, { path: "/", named: true, exists: true }],
  [{ HOME: "/nowhere/x" }, { path: "/nowhere/x", named: true, exists: false }],
])("the home of %j", (env, home) => {
  expect(examineHome(env)).toEqual(home);
});

it("without HOME the system is asked", () => {
  expect(examineHome({})).toMatchObject({ named: false, exists: existsSync(examineHome({}).path) });
});

it("reads the driver's first line", () => {
  expect(readDriver(join(folderWith({ version: "NVRM version: 550\nGCC\n" }), "version"))).toBe("NVRM version: 550");
  expect(readDriver("/nowhere")).toBeUndefined();
});
