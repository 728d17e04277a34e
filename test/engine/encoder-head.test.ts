import { describe, expect, it } from "vitest";
import { readHead } from "../../src/engine/encoder-head.js";
import type { GgufHeader } from "../../src/engine/gguf.js";

const whole = {
  scale: 20,
  "other.bias": 12,
  "other.count": 2,
  "other.directions": [1, 0, 0, 0, 1, 0],
  "other.offsets": [3, 4],
};

function read(changes: Readonly<Record<string, unknown>> = {}) {
  const entries = Object.entries({ ...whole, ...changes }).map(([key, value]) => [`arch_route.${key}`, value] as const);
  return readHead("m.gguf", { metadata: new Map(entries) } as unknown as GgufHeader);
}

describe("readHead", () => {
  it("cuts the directions to as many as there are offsets", () => {
    const directions = [
      [1, 0, 0],
      [0, 1, 0],
    ];
    expect(read()).toEqual({ scale: 20, bias: 12, directions, offsets: [3, 4] });
  });

  it.each([
    ["scale", { scale: undefined }],
    ["scale", { scale: Number.NaN }],
    ["other.bias", { "other.bias": "12" }],
    ["other.offsets", { "other.offsets": [3, Number.POSITIVE_INFINITY] }],
    ["other.directions", { "other.directions": "long" }],
    ["other.count", { "other.count": 3 }],
    ["other.count", { "other.directions": [1, 0, 0, 0, 1] }],
    ["other.count", { "other.count": 0, "other.directions": [], "other.offsets": [] }],
  ])("names %s where it cannot be used: %o", (key, changes) => {
    expect(() => read(changes)).toThrow(`model m.gguf: the routing head has no usable arch_route.${key}`);
  });
});
