import { expect, it } from "vitest";
import { createChalk } from "../../src/ui/colour.js";

it.each([
  [true, "\u001b[32mgo\u001b[39m"],
  [false, "go"],
])("with colours %s", (colour, text) => {
  expect(createChalk(colour).green("go")).toBe(text);
});
