import { describe, expect, it } from "vitest";
import { createStore, editedText, isUnsaved, reduce, startTuning, type TuneAction } from "../../src/ui/tune-state.js";

const routes = ["a", "b"].map((name) => ({ name, description: `${name}!` }));
const turn = (content: string) => ({ label: "a", conversation: [{ role: "user", content }] as const });
const played = (...actions: TuneAction[]) => actions.reduce(reduce, startTuning(routes, [turn("one"), turn("two")]));
const describeIt: TuneAction = { type: "edit", mode: "description" };
const done: TuneAction = { type: "edit", mode: "browse" };
const saved: TuneAction = {
  type: "saved",
  routes: [
    { name: "a", description: "a!x" },
    { name: "b", description: "b!" },
  ],
  text: "",
};
const insert = (text: string): TuneAction => ({ type: "insert", text });

describe("descriptions", () => {
  it.each<[string, TuneAction[], string]>([
    ["typed at the end", [describeIt, insert("x")], "a!x"],
    ["typed in the middle", [describeIt, { type: "move", by: -1 }, insert("x")], "ax!"],
    ["typed at the beginning", [describeIt, { type: "move", by: -Infinity }, insert("x")], "xa!"],
    ["deleted", [describeIt, { type: "delete" }], "a"],
    ["deleted at the beginning", [describeIt, { type: "move", by: -Infinity }, { type: "delete" }], "a!"],
    ["an emoji is deleted whole", [describeIt, insert("🙂"), { type: "delete" }], "a!"],
    ["undone", [describeIt, insert("x"), insert("y"), done, { type: "undo" }], "a!"],
    ["undone and redone", [describeIt, insert("x"), done, { type: "undo" }, { type: "redo" }], "a!x"],
    [
      "undone twice",
      [describeIt, insert("x"), done, describeIt, insert("y"), done, { type: "undo" }, { type: "undo" }],
      "a!",
    ],
    ["a stay without a change is no step", [describeIt, insert("x"), done, describeIt, done, { type: "undo" }], "a!"],
    ["nothing to undo", [{ type: "undo" }, { type: "redo" }], "a!"],
  ])("%s", (_, actions, description) => {
    expect(played(...actions).routes[0]?.description).toBe(description);
  });

  it("are unsaved until they are saved, or undone", () => {
    expect(isUnsaved(played())).toBe(false);
    expect(isUnsaved(played(describeIt, insert("x")))).toBe(true);
    expect(isUnsaved(played(describeIt, insert("x"), saved))).toBe(false);
    expect(isUnsaved(played(describeIt, insert("x"), done, { type: "undo" }))).toBe(false);
    expect(isUnsaved(played(describeIt, insert("x"), saved, done, { type: "undo" }))).toBe(true);
  });
});

it("routes and misses go round", () => {
  expect(played({ type: "choose", by: -1 }).chosen).toBe(1);
  expect(played({ type: "choose", by: 1 }, { type: "choose", by: 1 }).chosen).toBe(0);
  expect(played({ type: "step", by: -1 }).conversation).toEqual(turn("two").conversation);
  expect(startTuning(routes, []).conversation).toEqual([{ role: "user", content: "" }]);
});

it("the prompt is edited in its own place, and is no step of undo", () => {
  const state = played({ type: "edit", mode: "prompt" }, insert(" more"), done, { type: "undo" });
  expect(state.conversation.at(-1)?.content).toBe("one more");
  expect(editedText(state)).toBe("a!");
});

it("what was said is gone with the next key, and so is a warning", () => {
  expect(played({ type: "warn" })).toMatchObject({ warned: true, said: expect.stringContaining("q once more") });
  expect(played({ type: "warn" }, { type: "choose", by: 1 })).toMatchObject({ warned: false, said: "" });
  expect(played({ type: "say", text: "no space left" }).said).toBe("no space left");
});

it("a store changes at once, and tells who listens", () => {
  const store = createStore(startTuning(routes, []));
  let told = 0;
  const stop = store.subscribe(() => told++);
  store.dispatch({ type: "choose", by: 1 });
  expect([store.get().chosen, told]).toEqual([1, 1]);
  stop();
  store.dispatch({ type: "choose", by: 1 });
  expect(told).toBe(1);
});
