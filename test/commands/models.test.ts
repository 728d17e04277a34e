import { existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { embeddedModel } from "../../src/io/bundled.js";
import { FILE, REPOSITORY, sha256Of } from "../helpers/hub-server.js";
import { routerFile } from "../helpers/router-file.js";
import { runCli, temporaryFolder } from "../helpers/run-cli.js";
import { addFiles } from "../io/temporary-files.js";

const bytes = routerFile();

/** A home with these files in it; our own models are in cache/arch-route/models. */
function home(files: Record<string, string | Buffer> = {}) {
  const folder = temporaryFolder();
  addFiles(folder, files);
  const env = { HOME: folder, XDG_CACHE_HOME: join(folder, "cache"), XDG_STATE_HOME: join(folder, "state") };
  const models = (...args: string[]) => runCli(["models", ...args], { env, cwd: folder });
  return { folder, models, own: join(folder, "cache/arch-route/models") };
}

const ownFile = `cache/arch-route/models/${FILE}`;
const note = { [`${ownFile}.json`]: JSON.stringify({ sha256: sha256Of(bytes) }) };
const studioFile = `.lmstudio/models/${REPOSITORY}/${FILE}`;

describe("models list", () => {
  it("has mini alone on a fresh machine, and says why it is used", async () => {
    const { code, stdout, stderr } = await home().models();
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(
      stdout.replaceAll(embeddedModel.path, "PATH").replace("not verified yet", "verified"),
    ).toMatchInlineSnapshot(`
      "* mini  37 MB  package  MIT  verified
          PATH

      * would be used: no Arch-Router is on this machine
      "
    `);
  });

  it("has what any store has, where it lies", async () => {
    const { models, folder } = home({ [ownFile]: bytes, ...note, [studioFile]: bytes });
    const { stdout } = await models("list", "--json");
    const list = JSON.parse(stdout);
    expect(list.models).toMatchObject([
      {
        name: "arch-router:q4_k_m",
        store: "arch-route",
        verified: "yes",
        used: true,
        licence: "katanemo-research",
        size: bytes.length,
      },
      {
        name: "arch-router:q4_k_m",
        store: "LM Studio",
        verified: "unknown",
        used: false,
        path: join(folder, studioFile),
      },
      { name: "mini", store: "package", licence: "MIT" },
    ]);
    expect(list.used).toEqual({ path: join(folder, ownFile), why: "the best Arch-Router on this machine" });
  });

  it("has the file that was asked for, and what is wrong with it", async () => {
    const { models, folder } = home({ "x.gguf": "GGUF" });
    const { stdout, code } = await models("-m", "./x.gguf");
    expect(code).toBe(0);
    expect(stdout).toContain(`${join(folder, "x.gguf")}\n    not usable: not a usable GGUF file: it has 4 bytes`);
    expect(stdout).toContain("none can be used: model ");
  });

  it("names the option or file that asks for a model", async () => {
    expect((await home().models("-m", "mini")).stdout).toContain("* would be used: asked for: --model");
  });

  it("says how to get a model that is asked for and not here", async () => {
    expect((await home().models("-m", "arch-router:q8_0")).stdout).toContain("models pull arch-router:q8_0");
  });

  it("strips names of what a terminal would obey", async () => {
    const { models } = home({ "cache/arch-route/models/\x1b]0;x\x07y.gguf": bytes });
    expect((await models()).stdout).not.toContain("\x1b");
  });
});

describe("models path", () => {
  it("prints the file alone", async () => {
    const { models, folder } = home({ [studioFile]: bytes });
    expect(await models("path")).toEqual({ code: 0, stdout: `${join(folder, studioFile)}\n`, stderr: "" });
    expect(await models("path", "mini")).toMatchObject({ stdout: `${embeddedModel.path}\n` });
  });

  it.each([
    ["arch-router:q8_0", 4],
    ["nothing.gguf", 4],
    ["arch-router:q9", 2],
  ])("%s is not there: %i", async (reference, code) => {
    expect(await home().models("path", reference)).toMatchObject({ code, stdout: "" });
  });
});

describe("models verify", () => {
  it("reads all of all", async () => {
    const { models } = home({ [ownFile]: bytes, ...note, [studioFile]: bytes });
    const { code, stdout } = await models("verify");
    expect(code).toBe(0);
    expect(stdout.split("\n").map((line) => line.split(":")[0])).toEqual(["ok", "unknown", "ok", ""]);
  });

  it("finds one flipped bit where the size is right", async () => {
    const { models, own } = home({ [ownFile]: bytes, ...note });
    await models("verify");
    const flipped = Buffer.from(bytes);
    flipped[bytes.length - 1] = 1;
    writeFileSync(join(own, FILE), flipped);
    expect(await models("verify", "arch-router")).toMatchObject({
      code: 4,
      stdout: expect.stringMatching(/^damaged: .*, not /),
    });
    expect(JSON.parse((await models("verify", "--json")).stdout).models[0]).toMatchObject({ state: "damaged" });
    // Routing itself refuses it too.
    expect(await models("path")).toMatchObject({ code: 4, stderr: expect.stringMatching(/damaged.*models rm/) });
  });

  it("finds a blob that is not what its name says", async () => {
    const repository = `.cache/huggingface/hub/models--katanemo--Arch-Router-1.5B.gguf`;
    const { models, folder } = home({
      [`cache/huggingface/hub/x`]: "",
      [`${repository}/blobs/${"0".repeat(64)}`]: bytes,
      [`${repository}/snapshots/c/x`]: "",
    });
    symlinkSync(join(folder, repository, "blobs", "0".repeat(64)), join(folder, repository, "snapshots/c", FILE));
    symlinkSync(
      join(folder, repository),
      join(folder, "cache/huggingface/hub/models--katanemo--Arch-Router-1.5B.gguf"),
    );
    expect(await models("verify", "arch-router")).toMatchObject({ code: 4 });
  });
});

describe("models rm", () => {
  it.each(["arch-router", "arch-router:q4_k_m", `hf:${REPOSITORY}/${FILE}`, "PATH"])(
    "removes what was fetched: %s",
    async (reference) => {
      const { models, own } = home({ [ownFile]: bytes, ...note });
      const path = join(own, FILE);
      expect(await models("rm", reference.replace("PATH", path))).toEqual({
        code: 0,
        stdout: `removed: ${path}\n`,
        stderr: "",
      });
      expect([path, `${path}.json`].some(existsSync)).toBe(false);
    },
  );

  it("does not touch what others keep", async () => {
    const { models, folder } = home({ [studioFile]: bytes });
    expect(await models("rm", "arch-router")).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/LM Studio's; remove it with LM Studio/),
    });
    expect(readFileSync(join(folder, studioFile)).equals(bytes)).toBe(true);
  });

  it.each([
    ["mini", 4],
    ["arch-router:q8_0", 4],
    ["../x", 4],
    ["/etc/passwd", 4],
    ["hf:a/b/c.gguf", 4],
    ["a\0b", 2],
  ])("removes nothing for %j", async (reference, code) => {
    const { models, own } = home({ [ownFile]: bytes, x: "" });
    expect(await models("rm", reference)).toMatchObject({ code });
    expect(existsSync(join(own, FILE))).toBe(true);
  });
});
