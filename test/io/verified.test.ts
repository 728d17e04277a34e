import { createHash } from "node:crypto";
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { findFolders } from "../../src/io/folders.js";
import { hashFile, isVerified, markVerified, verify } from "../../src/io/verified.js";
import { temporaryFolder } from "../helpers/run-cli.js";
import { addFiles, folderWith } from "./temporary-files.js";

const newFolders = () => findFolders({ XDG_CACHE_HOME: temporaryFolder() });
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

describe("verify", () => {
  it("accepts a file with the right sha256, and remembers it", async () => {
    const [folders, folder] = [newFolders(), folderWith({ model: "good" })];
    await verify(join(folder, "model"), sha256("good"), folders);
    expect(readdirSync(folders.cache)).toEqual(["verified"]);
    expect(statSync(join(folders.cache, "verified")).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(folders.cache, "verified"), "utf8")).toContain(join(folder, "model"));
  });

  it("refuses a damaged file, with both sums", async () => {
    const [folders, folder] = [newFolders(), folderWith({ model: "goof" })];
    await expect(verify(join(folder, "model"), sha256("good"), folders)).rejects.toMatchObject({
      code: "E_MODEL",
      message: expect.stringMatching(new RegExp(`damaged.*${sha256("goof")}.*${sha256("good")}`)),
    });
    expect(existsSync(join(folders.cache, "verified"))).toBe(false);
  });

  it("reads a file again when its time has changed", async () => {
    const [folders, folder] = [newFolders(), folderWith({ model: "good" })];
    const path = join(folder, "model");
    await verify(path, sha256("good"), folders);
    writeFileSync(path, "goof");
    utimesSync(path, 1, 1);
    await expect(verify(path, sha256("good"), folders)).rejects.toMatchObject({ code: "E_MODEL" });
  });

  it("does not read a file again that has not changed", async () => {
    const [folders, folder] = [newFolders(), folderWith({ model: "good" })];
    const path = join(folder, "model");
    utimesSync(path, 1, 1);
    await verify(path, sha256("good"), folders);
    writeFileSync(path, "goof");
    utimesSync(path, 1, 1);
    await expect(verify(path, sha256("good"), folders)).resolves.toBeUndefined();
  });

  it("says that a file is missing", async () => {
    await expect(verify("/nowhere/model", sha256(""), newFolders())).rejects.toMatchObject({
      code: "E_MODEL",
      message: expect.stringContaining("/nowhere/model"),
    });
  });

  it("does without a place to remember", async () => {
    const folder = folderWith({ model: "good", file: "" });
    const folders = findFolders({ XDG_CACHE_HOME: join(folder, "file") });
    await expect(verify(join(folder, "model"), sha256("good"), folders)).resolves.toBeUndefined();
  });

  it("reads again what the list of the known has lost", async () => {
    const [folders, folder] = [newFolders(), folderWith({ model: "good" })];
    addFiles(folders.cache, { verified: Buffer.from([0, 0xff, 0x0a, 0x0a]) });
    await expect(verify(join(folder, "model"), sha256("good"), folders)).resolves.toBeUndefined();
  });
});

describe("markVerified", () => {
  it("spares the reading to whoever asks later, until the file changes", async () => {
    const [folders, folder] = [newFolders(), folderWith({ model: "good", other: "x" })];
    const path = join(folder, "model");
    expect(await isVerified(path, sha256("good"), folders)).toBe(false);
    await markVerified(path, sha256("good"), folders);
    await markVerified(join(folder, "other"), sha256("x"), folders);
    expect(await isVerified(path, sha256("good"), folders)).toBe(true);
    expect(await isVerified(path, sha256("bad"), folders)).toBe(false);
    expect(await isVerified(join(folder, "nowhere"), sha256("good"), folders)).toBe(false);
    writeFileSync(path, "better");
    expect(await isVerified(path, sha256("good"), folders)).toBe(false);
  });
});

describe("hashFile", () => {
  it("is the sha256 of the bytes", async () => {
    expect(await hashFile(join(folderWith({ a: "abc" }), "a"))).toBe(
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    );
  });

  it.each(["/nowhere/model", "/"])("names what cannot be read: %s", async (path) => {
    await expect(hashFile(path)).rejects.toMatchObject({ code: "E_MODEL", message: expect.stringContaining(path) });
  });
});

it("what stands in a folder that others may write into is not believed", async () => {
  const [folders, path] = [newFolders(), join(folderWith({ model: "good" }), "model")];
  await markVerified(path, sha256("good"), folders);
  expect(await isVerified(path, sha256("good"), folders)).toBe(true);
  chmodSync(folders.cache, 0o777);
  expect(await isVerified(path, sha256("good"), folders)).toBe(false);
});
