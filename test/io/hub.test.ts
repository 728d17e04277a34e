import { afterEach, describe, expect, it } from "vitest";
import { findHubFile, hubPath } from "../../src/io/hub.js";
import { createHubClient } from "../../src/io/hub-client.js";
import { COMMIT, FILE, type HubFiles, REPOSITORY, sha256Of, startHub } from "../helpers/hub-server.js";

const bytes = Buffer.from("GGUF");
const patience = { stall: 500, attempts: 2, delay: 1 };
const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
});

async function find(files: Partial<HubFiles> = {}, file = FILE) {
  const hub = await startHub({ bytes, ...files });
  const client = await createHubClient({ env: { ARCH_ROUTE_HUB: hub.url }, offline: false, patience });
  closers.push(hub.close, client.close);
  return await findHubFile(client, files.repository ?? REPOSITORY, file, { patience });
}

describe("findHubFile", () => {
  it("gives commit, size and sum, and the name as it is written there", async () => {
    const found = await find({}, FILE.toLowerCase());
    const url = `https://huggingface.co/${REPOSITORY}`;
    expect(found).toEqual({
      repository: REPOSITORY,
      file: FILE,
      commit: COMMIT,
      size: 4,
      sha256: sha256Of(bytes),
      licence: { name: "test-licence", url },
    });
    expect(hubPath(found)).toBe(`/${REPOSITORY}/resolve/${COMMIT}/${FILE}`);
  });

  it.each([
    [{ license: "apache-2.0" }, "apache-2.0"],
    [{ license: "other", license_name: "own", license_link: "https://x" }, "own"],
    [{ license: ["mit", "x"] }, undefined],
    [{ license: "other" }, undefined],
    [{}, undefined],
  ])("reads the licence of %j as %s", async (cardData, name) => {
    expect((await find({ cardData })).licence?.name).toBe(name);
  });

  it("refuses an answer without an end", async () => {
    const fault: HubFiles["fault"] = (_, response) => {
      response.writeHead(200).write("[");
      const more = () => response.write(" ".repeat(1 << 20), () => !response.destroyed && more());
      more();
      return true;
    };
    await expect(find({ fault })).rejects.toMatchObject({ code: "E_DOWNLOAD", message: /too long/ });
  });

  it("asks again after an answer that was cut", async () => {
    const fault: HubFiles["fault"] = (_, response, count) => {
      if (count > 0) return false;
      response.writeHead(200, { "content-type": "application/json" }).end('{"sha": ');
      return true;
    };
    expect((await find({ fault })).commit).toBe(COMMIT);
  });
});
