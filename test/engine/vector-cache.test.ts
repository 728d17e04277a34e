import { unlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createCheckedFiles } from "../../src/engine/checked-files.js";
import { createVectorCache } from "../../src/engine/vector-cache.js";
import { temporaryFolder } from "../helpers/run-cli.js";

const files = () => createCheckedFiles({ folder: join(temporaryFolder(), "vectors"), identity: "model" });

describe("vectors", () => {
  it.each<[string, number[][], number[][]]>([
    ["of one text", [[1]], [[0.1, -0.2]]],
    [
      "of several, to the last bit",
      [[1, 2], [3], []],
      [
        [1 / 3, -0],
        [Number.MIN_VALUE, 1e300],
        [NaN, 0.1 + 0.2],
      ],
    ],
  ])("%s come back", async (_, texts, vectors) => {
    const cache = createVectorCache(files());
    expect(await cache.restore(texts)).toBeUndefined();
    await cache.keep(texts, vectors);
    expect(await cache.restore(texts)).toEqual(vectors);
  });

  it("are not those of the same texts in another order", async () => {
    const cache = createVectorCache(files());
    await cache.keep([[1], [2]], [[0.1], [0.2]]);
    expect(await cache.restore([[2], [1]])).toBeUndefined();
  });

  it("whose file another process removes in the meantime are not there", async () => {
    const checked = files();
    await createVectorCache(checked).keep([[1]], [[0.1]]);
    const find: typeof checked.find = async (source) => {
      const file = await checked.find(source);
      if (file) unlinkSync(file.path);
      return file;
    };
    expect(await createVectorCache({ ...checked, find }).restore([[1]])).toBeUndefined();
  });
});
