import { expect, it } from "vitest";
import { actionOf, type Key } from "../../src/ui/tune-keys.js";

const none: Key = {
  upArrow: false,
  downArrow: false,
  leftArrow: false,
  rightArrow: false,
  return: false,
  escape: false,
  tab: false,
  backspace: false,
  delete: false,
  ctrl: false,
  meta: false,
};

it.each([
  ["browse", "q", {}, "quit"],
  ["browse", "s", {}, "save"],
  ["browse", "c", { ctrl: true }, "quit"],
  ["browse", "x", {}, undefined],
  ["browse", "constructor", {}, undefined],
  ["browse", "", { downArrow: true }, { type: "choose", by: 1 }],
  ["browse", "", { tab: true }, { type: "edit", mode: "prompt" }],
  ["browse", "", { return: true }, { type: "edit", mode: "description" }],
  ["browse", "p", {}, { type: "step", by: -1 }],
  ["description", "q", {}, { type: "insert", text: "q" }],
  ["description", "pasted\r\ntext", {}, { type: "insert", text: "pasted text" }],
  ["prompt", "", { escape: true }, { type: "edit", mode: "browse" }],
  ["prompt", "", { backspace: true }, { type: "delete" }],
  ["prompt", "", { delete: true }, { type: "delete" }],
  ["prompt", "s", { ctrl: true }, "save"],
  ["prompt", "c", { ctrl: true }, "quit"],
  ["prompt", "x", { meta: true }, undefined],
  ["prompt", "", { upArrow: true }, undefined],
] as const)("%s: %j %j", (mode, input, keys, action) => {
  expect(actionOf(mode, input, { ...none, ...keys })).toEqual(action);
});
