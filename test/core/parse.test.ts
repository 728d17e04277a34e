import { describe, expect, it } from "vitest";
import { ArchRouteError } from "../../src/core/errors.js";
import { readRecord, readText } from "../../src/core/parse.js";

const user = (content: string) => ({ role: "user", content });
const assistant = (content: string) => ({ role: "assistant", content });
const image = { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } };
const text = (content: string) => ({ type: "text", text: content });

describe("readText", () => {
  it.each(["hi", "  two\nlines ", '{"prompt": "not read as JSON"}', ""])("takes %j as it is", (content) => {
    expect(readText(content)).toEqual({ conversation: [user(content)] });
  });
});

describe("readRecord", () => {
  it.each([
    ["a string", "hi", [user("hi")]],
    ["a string with white space around it", " hi\n", [user(" hi\n")]],
    ["an escaped NUL", "a\u0000b", [user("a\u0000b")]],
    ["a lone surrogate", "lone \ud800", [user("lone \ud800")]],
    ["a prompt", { prompt: "hi" }, [user("hi")]],
    ["an OpenAI body", { model: "gpt", temperature: 1, messages: [user("hi")] }, [user("hi")]],
    ["several turns", { messages: [user("a"), assistant("b"), user("c")] }, [user("a"), assistant("b"), user("c")]],
    ["a list of messages", [user("hi")], [user("hi")]],
    ["text parts", [{ role: "user", content: [text("a"), text("b")] }], [user("a\nb")]],
    ["parts that are strings", [{ role: "user", content: ["a", "b"] }], [user("a\nb")]],
    ["images beside text", [{ role: "user", content: [text("a"), image, text("b")] }], [user("a\nb")]],
    ["images alone, beside a message", [{ role: "user", content: [image] }, user("hi")], [user("hi")]],
    ["no parts, beside a message", [{ role: "user", content: [] }, user("hi")], [user("hi")]],
    [
      "parts as the Responses API names them",
      [
        { role: "user", content: [{ type: "input_text", text: "a" }] },
        { role: "assistant", content: [{ type: "output_text", text: "b" }] },
      ],
      [user("a"), assistant("b")],
    ],
    [
      "roles that routing does not look at",
      {
        messages: [
          { role: "system", content: "be kind" },
          { role: "developer", content: "be terse" },
          user("hi"),
          { role: "tool", tool_call_id: "1", content: "42" },
          { role: "function", name: "f", content: null },
        ],
      },
      [user("hi")],
    ],
    ["roles dropped before their content is read", [{ role: "system", content: 5 }, user("hi")], [user("hi")]],
    [
      "an assistant that only calls tools",
      [user("a"), { role: "assistant", content: null, tool_calls: [{ id: "1" }] }, user("b")],
      [user("a"), user("b")],
    ],
    ["an assistant without content", [user("a"), { role: "assistant", tool_calls: [] }], [user("a")]],
    ["empty messages beside others", [user(" \n"), user("hi"), assistant("")], [user("hi")]],
    [
      "an Anthropic body",
      {
        model: "claude",
        system: "be kind",
        max_tokens: 10,
        messages: [
          { role: "user", content: [text("a"), { type: "image", source: {} }] },
          { role: "assistant", content: [text("b"), { type: "tool_use", id: "1", name: "f", input: {} }] },
          { role: "user", content: [{ type: "tool_result", tool_use_id: "1", content: "42" }, text("c")] },
        ],
      },
      [user("a"), assistant("b"), user("c")],
    ],
    [
      "a ShareGPT body",
      {
        conversations: [
          { from: "system", value: "be kind" },
          { from: "human", value: "a" },
          { from: "gpt", value: "b" },
          { from: "user", value: "c" },
          { from: "chatgpt", value: "d" },
          { from: "model", value: "e" },
        ],
      },
      [user("a"), assistant("b"), user("c"), assistant("d"), assistant("e")],
    ],
    ["a ShareGPT list", [{ from: "human", value: "hi" }], [user("hi")]],
    ["the key conversation", { conversation: [user("hi")] }, [user("hi")]],
    ["messages before a prompt", { prompt: "no", messages: [user("hi")] }, [user("hi")]],
    ["role before from", [{ role: "user", content: "hi", from: "gpt", value: "no" }], [user("hi")]],
  ])("reads %s", (_, value, conversation) => {
    expect(readRecord(value)).toEqual({ conversation });
  });

  it.each([
    ["a string", '"7"', '"7"'],
    ["a string with quotes", '"a\\"b"', '"a\\"b"'],
    ["a number", "7", "7"],
    ["a fraction", "-0.5", "-0.5"],
    ["null", "null", "null"],
  ])("keeps an id that is %s as JSON text", (_, written, id) => {
    expect(readRecord(JSON.parse(`{"id": ${written}, "prompt": "hi"}`))).toEqual({ id, conversation: [user("hi")] });
  });

  it("takes the last of two equal keys, as JSON.parse does", () => {
    expect(readRecord(JSON.parse('{"prompt": "a", "prompt": "b"}'))).toEqual({ conversation: [user("b")] });
  });

  it("keeps of a record's own routes the name and the description, never a command", () => {
    const routes = [{ name: "a", description: "A", model: "m", run: [["rm", "-rf", "/"]] }];
    const record = readRecord({ prompt: "hi", routes, other: { run: [["rm"]] }, command: ["rm"] });
    expect(record).toEqual({ conversation: [user("hi")], routes: [{ name: "a", description: "A" }] });
  });

  const route = { name: "a", description: "A" };
  it.each([
    ["null", null, ""],
    ["a number", 5, ""],
    ["a boolean", true, ""],
    ["nothing", undefined, ""],
    ["an empty string", "", ""],
    ["white space", " \n\t", ""],
    ["an empty object", {}, ""],
    ["an empty list", [], ""],
    ["a body of another kind", { input: "hi" }, ""],
    ["a list of numbers", [1], "/0"],
    ["a list in a list", [[user("hi")]], "/0"],
    ["a bare string for a message", ["hi"], "/0"],
    ["null for a message", [user("hi"), null], "/1"],
    ["a prompt that is a number", { prompt: 5 }, "/prompt"],
    ["a prompt that is null", { prompt: null }, "/prompt"],
    ["a prompt that is a list", { prompt: ["hi"] }, "/prompt"],
    ["an empty prompt", { prompt: "" }, "/prompt"],
    ["a blank prompt", { prompt: "  " }, "/prompt"],
    ["messages that are null", { messages: null }, "/messages"],
    ["messages that are a string", { messages: "hi" }, "/messages"],
    ["messages that are an object", { messages: user("hi") }, "/messages"],
    ["no messages", { messages: [] }, "/messages"],
    ["no user's message", { messages: [assistant("hi")] }, "/messages"],
    ["a system message alone", { messages: [{ role: "system", content: "hi" }] }, "/messages"],
    ["a user without text", { messages: [{ role: "user", content: [image] }] }, "/messages"],
    ["a blank user", { conversations: [{ from: "human", value: " " }] }, "/conversations"],
    ["a conversation that is a number", { conversation: 1 }, "/conversation"],
    ["a message that is a number", { messages: [user("hi"), 5] }, "/messages/1"],
    ["a message without a role", { messages: [{ content: "hi" }] }, "/messages/0/role"],
    ["a message without anything", { conversations: [{}] }, "/conversations/0/role"],
    ["a role that is null", { messages: [{ role: null, content: "hi" }] }, "/messages/0/role"],
    ["a role that is a number", { messages: [{ role: 1, content: "hi" }] }, "/messages/0/role"],
    ["an unknown role", { messages: [{ role: "User", content: "hi" }] }, "/messages/0/role"],
    ["a ShareGPT role that is a number", { conversations: [{ from: 1, value: "hi" }] }, "/conversations/0/from"],
    ["an unknown ShareGPT role", { conversations: [{ from: "bing", value: "hi" }] }, "/conversations/0/from"],
    ["a user without content", { messages: [{ role: "user" }] }, "/messages/0/content"],
    ["a user whose content is null", { messages: [{ role: "user", content: null }] }, "/messages/0/content"],
    ["content that is a number", { messages: [{ role: "user", content: 5 }] }, "/messages/0/content"],
    ["content that is an object", { messages: [{ role: "assistant", content: {} }] }, "/messages/0/content"],
    ["a ShareGPT turn without value", { conversations: [{ from: "human" }] }, "/conversations/0/value"],
    ["a part that is a number", [{ role: "user", content: [text("a"), 5] }], "/0/content/1"],
    ["a part that is null", [{ role: "user", content: [null] }], "/0/content/0"],
    ["a part that is a list", [{ role: "user", content: [["a"]] }], "/0/content/0"],
    ["a text part without text", [{ role: "user", content: [{ type: "text" }] }], "/0/content/0/text"],
    ["a text part with a number", [{ role: "user", content: [{ type: "text", text: 5 }] }], "/0/content/0/text"],
    ["an id that is an object", { id: {}, prompt: "hi" }, "/id"],
    ["an id that is a list", { id: [1], prompt: "hi" }, "/id"],
    ["an id that is a boolean", { id: true, prompt: "hi" }, "/id"],
    ["routes that are null", { prompt: "hi", routes: null }, "/routes"],
    ["routes that are an object", { prompt: "hi", routes: { a: "A" } }, "/routes"],
    ["no routes", { prompt: "hi", routes: [] }, "/routes"],
    ["a route that is a string", { prompt: "hi", routes: [route, "b"] }, "/routes/1"],
    ["a route without a name", { prompt: "hi", routes: [{ description: "A" }] }, "/routes/0/name"],
    ["a name that is a number", { prompt: "hi", routes: [{ name: 1, description: "A" }] }, "/routes/0/name"],
    ["a route without a description", { prompt: "hi", routes: [route, { name: "b" }] }, "/routes/1/description"],
    ["two equal names", { prompt: "hi", routes: [route, route] }, "/routes/1/name"],
    ["a route named other", { prompt: "hi", routes: [{ name: "other", description: "A" }] }, "/routes/0/name"],
  ])("refuses %s", (_, value, pointer) => {
    expect(failure(() => readRecord(value))).toMatchObject({ code: "E_SHAPE", pointer });
  });

  it("says what is wrong and which roles there are", () => {
    const error = failure(() => readRecord([{ role: "wizard", content: "hi" }]));
    expect(error.message).toBe("unknown role");
    expect(error.hint).toBe(
      "use one of user, human, assistant, gpt, chatgpt, model, system, developer, tool, function",
    );
    expect(failure(() => readRecord({ messages: {} })).message).toBe("expected a list of messages, got an object");
    expect(failure(() => readRecord({ prompt: null })).message).toBe("expected a string, got null");
    expect(failure(() => readRecord([])).hint).toBeUndefined();
  });
});

describe("names that every object has", () => {
  const names = ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"];
  const message = '{"role": "user", "content": "hi"}';
  const evil = '{"messages": [{"role": "user", "content": "evil"}], "id": 1, "role": "user", "polluted": true}';

  it.each(names)("%s is ignored as a key", (name) => {
    const record = untouched(
      `{"${name}": ${evil}, "messages": [{"${name}": ${evil}, "role": "user", "content": "hi"}]}`,
    );
    expect(record).toEqual({ conversation: [user("hi")] });
  });

  it.each(names)("%s does not stand in for the keys that are missing", (name) => {
    expect(failure(() => untouched(`{"${name}": ${evil}}`))).toMatchObject({ code: "E_SHAPE", pointer: "" });
    expect(failure(() => untouched(`[{"${name}": ${evil}}]`))).toMatchObject({ code: "E_SHAPE", pointer: "/0/role" });
    expect(failure(() => untouched(`{"prompt": "hi", "routes": [{"${name}": {"name": "a"}}]}`))).toMatchObject({
      code: "E_SHAPE",
      pointer: "/routes/0/name",
    });
  });

  it.each(names)("%s is an unknown role", (name) => {
    const json = `{"messages": [${message}, {"role": "${name}", "content": "hi"}]}`;
    expect(failure(() => untouched(json))).toMatchObject({ code: "E_SHAPE", pointer: "/messages/1/role" });
  });

  it.each(names)("%s is a part of no known type", (name) => {
    const json = `[${message}, {"role": "user", "content": [{"type": "${name}", "text": "evil"}]}]`;
    expect(untouched(json)).toEqual({ conversation: [user("hi")] });
  });

  it.each(names)("%s is an id and a route's name like any other", (name) => {
    const json = `{"id": "${name}", "prompt": "hi", "routes": [{"name": "${name}", "description": "${name}"}]}`;
    expect(untouched(json)).toEqual({
      id: `"${name}"`,
      conversation: [user("hi")],
      routes: [{ name, description: name }],
    });
  });

  it.each(names)("%s twice is a route's name used twice", (name) => {
    const route = `{"name": "${name}", "description": "x"}`;
    expect(failure(() => untouched(`{"prompt": "hi", "routes": [${route}, ${route}]}`)).pointer).toBe("/routes/1/name");
  });

  it("are harmless with an inherited key in place of an own one", () => {
    expect(failure(() => readRecord(Object.create({ prompt: "evil" })))).toMatchObject({ pointer: "" });
    expect(failure(() => readRecord([Object.create(user("evil"))]))).toMatchObject({ pointer: "/0/role" });
  });
});

describe.each([10_000, 100_000])("nesting of %d", (depth) => {
  const list = `${"[".repeat(depth)}${"]".repeat(depth)}`;
  const object = `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;

  it.each([
    ["a list", list],
    ["an object", object],
  ])("is not looked at under unknown keys (%s)", (_, deep) => {
    const json = `{"x": ${deep}, "messages": [{"role": "user", "content": "hi", "x": ${deep}}, {"role": "assistant", "content": null, "tool_calls": ${deep}}, {"role": "system", "content": ${deep}}]}`;
    expect(readRecord(JSON.parse(json))).toEqual({ conversation: [user("hi")] });
  });

  it.each([
    ["everything", list, "/0"],
    ["everything, in objects", object, ""],
    ["the messages", `{"messages": ${list}}`, "/messages/0"],
    ["the content", `{"messages": [{"role": "user", "content": ${list}}]}`, "/messages/0/content/0"],
    ["a part's text", `[{"role": "user", "content": [{"type": "text", "text": ${object}}]}]`, "/0/content/0/text"],
    ["the prompt", `{"prompt": ${object}}`, "/prompt"],
    ["the id", `{"id": ${list}, "prompt": "hi"}`, "/id"],
    ["the routes", `{"prompt": "hi", "routes": ${list}}`, "/routes/0"],
    ["a role", `[{"role": ${object}, "content": "hi"}]`, "/0/role"],
  ])("is a wrong shape for %s", (_, json, pointer) => {
    const { code, pointer: found } = failure(() => readRecord(JSON.parse(json)));
    expect({ code, pointer: found }).toEqual({ code: "E_SHAPE", pointer });
  });
});

function failure(read: () => unknown): ArchRouteError {
  try {
    read();
  } catch (error) {
    if (error instanceof ArchRouteError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

/** Reads JSON text and checks that nothing which all objects share was changed by it. */
function untouched(json: string): unknown {
  const before = shared();
  try {
    return readRecord(JSON.parse(json));
  } finally {
    const after = shared();
    expect(after.length).toBe(before.length);
    expect(after.every((value, index) => Object.is(value, before[index]))).toBe(true);
  }
}

function shared(): unknown[] {
  return [Object.prototype, Array.prototype, Map.prototype, Object, Array].flatMap((owner) =>
    Object.entries(Object.getOwnPropertyDescriptors(owner)).flatMap(([key, { value, get, set }]) => [
      key,
      value,
      get,
      set,
    ]),
  );
}
