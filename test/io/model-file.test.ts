import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { embeddedModel } from "../../src/io/bundled.js";
import { type Folders, findFolders } from "../../src/io/folders.js";
import { findModel } from "../../src/io/model-file.js";
import { modelFolder } from "../../src/io/model-stores.js";
import { archRouterFile, type Quantisation, quantisations } from "../../src/io/model-table.js";
import { temporaryFolder } from "../helpers/run-cli.js";
import { addFiles } from "./temporary-files.js";

const newFolders = () => findFolders({ XDG_CACHE_HOME: temporaryFolder() });
const pathOf = (folders: Folders, quantisation: Quantisation) =>
  join(modelFolder(folders), archRouterFile(quantisation));

/** Folders in which these quantisations of Arch-Router were fetched. */
function withModels(...names: Quantisation[]): Folders {
  const folders = newFolders();
  for (const name of names) addFiles(modelFolder(folders), { [archRouterFile(name)]: "GGUF" });
  return folders;
}

describe("findModel", () => {
  it.each([undefined, "mini"])("takes the embedded model for %s on a fresh machine", async (reference) => {
    expect(await findModel(reference, newFolders())).toEqual({ path: embeddedModel.path, embedded: true });
  });

  it.each([
    ["the only one", ["q2_k"], "q2_k"],
    ["the one to prefer", ["f16", "q2_k", "q4_k_m"], "q4_k_m"],
    ["the next best", ["f16", "q2_k", "q8_0"], "q8_0"],
  ] as const)("takes %s of the Arch-Routers that are there", async (_, names, best) => {
    const folders = withModels(...names);
    const expected = { path: pathOf(folders, best), embedded: false };
    expect(await findModel(undefined, folders)).toMatchObject(expected);
    expect(await findModel("arch-router", folders)).toMatchObject(expected);
  });

  it.each(["arch-router:q8_0", "arch-router:Q8_0"])("takes exactly the quantisation of %s", async (reference) => {
    const folders = withModels("q4_k_m", "q8_0");
    expect(await findModel(reference, folders)).toMatchObject({ path: pathOf(folders, "q8_0"), embedded: false });
    await expect(findModel("arch-router:q5_k_m", folders)).rejects.toMatchObject({ code: "E_MODEL" });
  });

  it("takes the embedded model if asked for, whatever else is there", async () => {
    expect(await findModel("mini", withModels("q4_k_m"))).toMatchObject({ embedded: true });
  });

  it("refuses one that is not what it was when it was fetched", async () => {
    const folders = withModels("q4_k_m");
    addFiles(modelFolder(folders), {
      [`${archRouterFile("q4_k_m")}.json`]: JSON.stringify({ sha256: "0".repeat(64) }),
    });
    await expect(findModel("arch-router", folders)).rejects.toMatchObject({
      code: "E_MODEL",
      message: expect.stringContaining("damaged"),
      hint: expect.stringContaining("arch-route models rm"),
    });
  });

  it.each(["/models/x.gguf", "x.gguf", "http://example.org/x.gguf"])("takes %s for a path", async (path) => {
    expect(await findModel(path, newFolders())).toEqual({ path, embedded: false });
  });

  it.each([
    ["arch-router", "arch-router:q4_k_m"],
    ["arch-router:q4_k_m", "arch-router:q4_k_m"],
    ["arch-router:q8_0", "arch-router:q8_0"],
    ["hf:user/repository/file.gguf", "hf:user/repository/file.gguf"],
  ])("gives the command that gets %s", async (reference, pulled) => {
    await expect(findModel(reference, newFolders())).rejects.toMatchObject({
      code: "E_MODEL",
      message: `model ${reference}: not on this machine`,
      hint: `get it with: arch-route models pull ${pulled}`,
    });
  });

  it.each(["arch-router:", "arch-router:q9", "arch-router:../x", "arch-router:q4_k_m/../../x", "arch-router:/etc/x"])(
    "knows no quantisation %s",
    async (reference) => {
      await expect(findModel(reference, newFolders())).rejects.toMatchObject({
        code: "E_CONFIG",
        hint: `use one of ${quantisations.join(", ")}`,
      });
    },
  );

  it("refuses a NUL in a name", async () => {
    await expect(findModel("a\0b", newFolders())).rejects.toMatchObject({ code: "E_CONFIG" });
  });
});
