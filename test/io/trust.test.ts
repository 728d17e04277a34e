import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { findFolders } from "../../src/io/folders.js";
import { fingerprint, isTrusted, trust } from "../../src/io/trust.js";
import { temporaryFolder } from "../helpers/run-cli.js";
import { folderWith } from "./temporary-files.js";

const newFolders = () => findFolders({ XDG_STATE_HOME: temporaryFolder() });

describe("fingerprint", () => {
  it("is the same for the same texts", () => {
    expect(fingerprint(["a", "b"])).toBe(fingerprint(["a", "b"]));
    expect(fingerprint(["a"])).toMatch(/^[0-9a-f]{64}$/);
  });

  it("tells apart what differs in a byte, in order, or in where one text ends", () => {
    const sets = [
      ["ab"],
      ["a", "b"],
      ["", "ab"],
      ["ab", ""],
      ["b", "a"],
      ["ab "],
      ["ä"],
      ["a\n1\nb"],
      ["a", "", "b"],
      [],
    ];
    expect(new Set(sets.map(fingerprint)).size).toBe(sets.length);
  });
});

describe("trust", () => {
  it("holds for what was trusted and for nothing else", async () => {
    const folders = newFolders();
    const [one, other] = [fingerprint(["one"]), fingerprint(["other"])];
    expect(await isTrusted(folders, one)).toBe(false);
    await trust(folders, one);
    expect(await isTrusted(folders, one)).toBe(true);
    expect(await isTrusted(folders, other)).toBe(false);
    await trust(folders, other);
    expect(await isTrusted(folders, one)).toBe(true);
    expect(await isTrusted(folders, other)).toBe(true);
  });

  it("records a thing once, in files of the user's alone, and leaves nothing else", async () => {
    const folders = newFolders();
    await trust(folders, "abc");
    await trust(folders, "abc");
    expect(readdirSync(folders.state)).toEqual(["trusted"]);
    expect(readFileSync(join(folders.state, "trusted"), "utf8")).toBe("abc\n");
    expect(statSync(folders.state).mode & 0o777).toBe(0o700);
    expect(statSync(join(folders.state, "trusted")).mode & 0o777).toBe(0o600);
  });

  it.each([
    ["an empty fingerprint", ""],
    ["a part of one", "ab"],
    ["two of them", "abc\ndef"],
  ])("is not had by %s", async (_, print) => {
    const folders = newFolders();
    await trust(folders, "abc");
    await trust(folders, "def");
    expect(await isTrusted(folders, print)).toBe(false);
  });

  it("is gone with a list that cannot be read", async () => {
    const folders = newFolders();
    await trust(folders, "abc");
    writeFileSync(join(folders.state, "trusted"), Buffer.from([0, 0xff, 0xfe]));
    expect(await isTrusted(folders, "abc")).toBe(false);
  });

  it("says so if it cannot be recorded", async () => {
    const folders = findFolders({ XDG_STATE_HOME: join(folderWith({ file: "" }), "file") });
    await expect(trust(folders, "abc")).rejects.toMatchObject({ code: "E_OUTPUT" });
  });
});
