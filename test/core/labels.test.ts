import { describe, expect, it } from "vitest";
import { readLabelled } from "../../src/core/labels.js";

const routes = ["a", "b"].map((name) => ({ name, description: name }));
const user = (content: string, rest = {}) => ({ role: "user", content, ...rest });
const reply = { role: "assistant", content: "ok" };

describe("readLabelled", () => {
  it.each<[string, unknown, string[]]>([
    ["route beside a prompt", { prompt: "x", route: "a" }, ["a: x"]],
    ["expected beside messages", { messages: [user("x")], expected: "other" }, ["other: x"]],
    ["ShareGPT", { conversations: [{ from: "human", value: "x" }], route: "b" }, ["b: x"]],
    ["the tool's own output: expected is the label", { prompt: "x", route: "b", expected: "a" }, ["a: x"]],
    ["one label for the whole", { messages: [user("x"), reply, user("y")], route: "a" }, ["a: x/ok/y"]],
    [
      "a label a message",
      { messages: [user("x", { route: "a" }), reply, user("y", { expected: "b" })] },
      ["a: x", "b: x/ok/y"],
    ],
    [
      "messages without a label are context",
      { messages: [user("x"), reply, user("y", { route: "b" })] },
      ["b: x/ok/y"],
    ],
    [
      "the record's label is the last message's",
      { messages: [user("x", { route: "a" }), reply, user("y")], route: "b" },
      ["a: x", "b: x/ok/y"],
    ],
    ["said twice", { messages: [user("x", { route: "a" })], route: "a" }, ["a: x"]],
    ["a bare array", [user("x", { route: "a" })], ["a: x"]],
    ["labels of ShareGPT messages", { conversations: [{ from: "human", value: "x", route: "b" }] }, ["b: x"]],
    ["routes of its own", { prompt: "x", route: "c", routes: [{ name: "c", description: "c" }] }, ["c: x"]],
  ])("%s", (_, value, turns) => {
    const read = readLabelled(value, routes).turns;
    expect(read.map(({ label, conversation }) => `${label}: ${conversation.map((m) => m.content).join("/")}`)).toEqual(
      turns,
    );
  });

  it.each<[string, unknown, string, RegExp]>([
    ["no label", { prompt: "x" }, "", /there is no label/],
    ["text", "x", "", /there is no label/],
    ["an unknown route", { prompt: "x", route: "A" }, "/route", /there is no route "A"/],
    [
      "not a route of its own",
      { prompt: "x", route: "a", routes: [{ name: "c", description: "c" }] },
      "/route",
      /no route/,
    ],
    ["a label that is no string", { prompt: "x", expected: 1 }, "/expected", /must be the name of a route/],
    ["an unknown route on a message", { messages: [user("x", { route: "z" })] }, "/messages/0/route", /no route "z"/],
    ["two labels for one turn", { messages: [user("x", { route: "a" })], route: "b" }, "", /is not its last message's/],
    ["no conversation", { route: "a" }, "", /neither/],
  ])("refuses %s", (_, value, pointer, message) => {
    expect(() => readLabelled(value, routes)).toThrow(
      expect.objectContaining({ code: "E_SHAPE", pointer, message: expect.stringMatching(message) }),
    );
  });

  it("names the routes there are", () => {
    expect(() => readLabelled({ prompt: "x", route: "z" }, routes)).toThrow(
      expect.objectContaining({ hint: "use one of a, b, other" }),
    );
  });
});
