import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough, Writable } from "node:stream";
import { describe, expect, it } from "vitest";
import { fileOutput, streamOutput } from "../../src/io/output.js";
import { temporaryFolder } from "../helpers/run-cli.js";
import { folderWith } from "./temporary-files.js";

/** A stream whose Nth write fails. */
function failingAt(n: number, code: string, written: string[] = []): Writable {
  let writes = 0;
  return new Writable({
    write(chunk, _encoding, callback) {
      if (++writes === n) return callback(Object.assign(new Error(`${code}: write`), { code }));
      written.push(String(chunk));
      callback();
    },
  });
}

describe("streamOutput", () => {
  it("writes in order", async () => {
    const stream = new PassThrough();
    const output = streamOutput(stream);
    await output.write("a\n");
    await output.write("b\n");
    await output.close();
    expect(stream.read()?.toString()).toBe("a\nb\n");
    expect(stream.writableEnded).toBe(false);
  });

  it("resolves only when the stream has taken the text", async () => {
    let release: () => void = () => undefined;
    const stream = new Writable({
      write(_chunk, _encoding, callback) {
        release = callback;
      },
    });
    let done = false;
    const writing = streamOutput(stream)
      .write("a")
      .then(() => {
        done = true;
      });
    await new Promise((resolve) => setImmediate(resolve));
    expect(done).toBe(false);
    release();
    await writing;
    expect(done).toBe(true);
  });

  it.each([
    ["ENOSPC", "no space left"],
    ["EIO", "EIO: write"],
    ["EFBIG", "the file would be larger than allowed"],
  ])("says why %s kept it from writing", async (code, why) => {
    await expect(streamOutput(failingAt(1, code)).write("a")).rejects.toMatchObject({
      code: "E_OUTPUT",
      message: `standard output: cannot be written: ${why}`,
    });
  });

  it("says why it fails although the stream had failed before", async () => {
    const stream = new Writable();
    const output = streamOutput(stream);
    stream.destroy(Object.assign(new Error("ENOENT"), { code: "ENOENT" }));
    await new Promise((resolve) => setImmediate(resolve));
    await expect(output.write("a")).rejects.toMatchObject({
      message: expect.stringContaining("its folder does not exist"),
    });
  });

  it("takes a reader that went away for the end, not for a failure", async () => {
    const written: string[] = [];
    const output = streamOutput(failingAt(2, "EPIPE", written));
    await output.write("a");
    expect(output.readerGone).toBe(false);
    await output.write("b");
    expect(output.readerGone).toBe(true);
    await output.write("c");
    expect(written).toEqual(["a"]);
  });
});

describe("fileOutput", () => {
  it("writes a file, over one that is there", async () => {
    const folder = folderWith({ out: "a long text of before\n" });
    const output = fileOutput(join(folder, "out"));
    await output.write("a\n");
    await output.write("b\n");
    await output.close();
    expect(readFileSync(join(folder, "out"), "utf8")).toBe("a\nb\n");
  });

  it("leaves a file alone until there is something to write", async () => {
    const path = join(folderWith({ out: "precious\n" }), "out");
    fileOutput(path);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(readFileSync(path, "utf8")).toBe("precious\n");
  });

  it("makes an empty file if there was nothing to write", async () => {
    const path = join(temporaryFolder(), "out");
    await fileOutput(path).close();
    expect(readFileSync(path, "utf8")).toBe("");
  });

  it.each([
    ["whose folder does not exist", "nowhere/out", "its folder does not exist"],
    ["that is a folder", ".", "it is a folder"],
  ])("refuses a file %s", async (_, path, why) => {
    const folder = temporaryFolder();
    const wrong = { code: "E_OUTPUT", message: expect.stringContaining(`cannot be written: ${why}`) };
    await expect(fileOutput(join(folder, path)).write("a")).rejects.toMatchObject(wrong);
    await expect(fileOutput(join(folder, path)).close()).rejects.toMatchObject(wrong);
  });
});
