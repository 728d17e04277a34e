import { describe, expect, it } from "vitest";
import { createRate, createTransferLines, progressText } from "../../src/ui/transfer-lines.js";

describe("progressText", () => {
  it.each([
    [0, undefined, "0 %, 0 of 986 MB"],
    [296e6, 12e6, "30 %, 296 of 986 MB, 12.0 MB/s, 58 s left"],
    [296e6, 1e6, "30 %, 296 of 986 MB, 1.0 MB/s, 12 min left"],
    [986e6, 12e6, "100 %, 986 of 986 MB, 12.0 MB/s"],
  ])("of %i bytes at %s a second", (bytes, speed, text) => {
    expect(progressText(bytes, 986e6, speed)).toBe(text);
  });
});

describe("createRate", () => {
  it("does not count what was there before", () => {
    let time = 0;
    const rate = createRate(() => time);
    expect(rate(500)).toBeUndefined();
    time = 2000;
    expect(rate(700)).toBe(100);
    expect(rate(400)).toBeUndefined();
  });
});

it("a line stands for a tenth, however often there is news", () => {
  const lines: string[] = [];
  const view = createTransferLines(
    { file: "x\x1b[2J.gguf", size: 1000 },
    (line) => lines.push(line),
    () => 0,
  );
  for (let bytes = 0; bytes <= 1000; bytes += 7) view.update(bytes);
  view.update(1000);
  view.close();
  expect(lines).toHaveLength(11);
  expect(lines[0]).toBe("arch-route: x.gguf: 0 %, 0 of 0 MB\n");
  expect(lines.at(-1)).toBe("arch-route: x.gguf: 100 %, 0 of 0 MB\n");
});
