import { describe, expect, it } from "vitest";
import { hasColour } from "../../src/io/streams.js";

describe("hasColour", () => {
  it.each([
    ["a terminal", true, {}, true],
    ["a terminal with a good TERM", true, { TERM: "xterm-256color" }, true],
    ["a pipe", false, {}, false],
    ["what does not say", undefined, {}, false],
    ["a terminal with NO_COLOR", true, { NO_COLOR: "1" }, false],
    ["a terminal with NO_COLOR=0, which counts as well", true, { NO_COLOR: "0" }, false],
    ["a terminal with an empty NO_COLOR, which does not count", true, { NO_COLOR: "" }, true],
    ["a dumb terminal", true, { TERM: "dumb" }, false],
  ])("%s", (_, isTTY, env, expected) => {
    expect(hasColour(isTTY === undefined ? {} : { isTTY }, env)).toBe(expected);
  });
});
