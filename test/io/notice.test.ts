import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { findFolders } from "../../src/io/folders.js";
import { isFirstTime } from "../../src/io/notice.js";
import { temporaryFolder } from "../helpers/run-cli.js";
import { folderWith } from "./temporary-files.js";

const foldersIn = (state: string) => findFolders({ XDG_STATE_HOME: state });

describe("isFirstTime", () => {
  it("is true once for each name", async () => {
    const folders = foldersIn(temporaryFolder());
    expect(await isFirstTime(folders, "one")).toBe(true);
    expect(await isFirstTime(folders, "one")).toBe(false);
    expect(await isFirstTime(folders, "two")).toBe(true);
  });

  it("is true for one of many that ask at once", async () => {
    const folders = foldersIn(temporaryFolder());
    const answers = await Promise.all(Array.from({ length: 20 }, () => isFirstTime(folders, "one")));
    expect(answers.filter((first) => first)).toHaveLength(1);
  });

  it("is false where nothing can be recorded", async () => {
    expect(await isFirstTime(foldersIn(join(folderWith({ file: "" }), "file")), "one")).toBe(false);
  });

  it("keeps its folder to the user", async () => {
    const folders = foldersIn(temporaryFolder());
    await isFirstTime(folders, "one");
    expect(readdirSync(join(folders.state, "notices"))).toEqual(["one"]);
    expect(statSync(join(folders.state, "notices")).mode & 0o777).toBe(0o700);
    expect(statSync(join(folders.state, "notices", "one")).mode & 0o777).toBe(0o600);
  });
});
