import { describe, expect, it } from "vitest";
import { readComplaint, readCompletion, readModels, readSplit } from "../../src/io/completion-answer.js";

const legacy = (list: unknown) => ({ choices: [{ logprobs: { top_logprobs: [list] } }] });
const chatLike = (...list: unknown[]) => ({ choices: [{ logprobs: { content: [{ top_logprobs: list }] } }] });

describe("a completion", () => {
  it.each<[string, unknown, [string, number][]]>([
    [
      "OpenAI's, vLLM's, llama-cpp-python's",
      legacy({ a: -1, é: -2 }),
      [
        ["a", -1],
        ["\u00c3\u00a9", -2],
      ],
    ],
    ["llama-server's", chatLike({ id: 1, token: "", bytes: [230, 151], logprob: -1 }), [["\u00e6\u0097", -1]]],
    ["llama-server's without bytes", chatLike({ token: "é", logprob: -1 }), [["\u00c3\u00a9", -1]]],
    ["two tokens of one text", chatLike({ token: "a", logprob: -3 }, { token: "a", logprob: -1 }), [["a", -1]]],
    [
      "an impossible token",
      legacy({ a: -1, b: null }),
      [
        ["a", -1],
        ["b", -Infinity],
      ],
    ],
    ["a name that every object has", legacy(JSON.parse('{"__proto__": -1, "constructor": -2}')), [["constructor", -2]]],
  ])("is read: %s", (_, body, tokens) => {
    const list = readCompletion(body);
    if (typeof list === "string") throw new Error(list);
    for (const entry of tokens) expect([...list.tokens]).toContainEqual(entry);
    expect(list).toMatchObject({ least: Math.min(...tokens.map(([, value]) => value)), prompt: 0, cached: 0 });
  });

  it.each([
    { choices: [{}] },
    { choices: [{ logprobs: null }] },
    { choices: [{ logprobs: { content: [] } }] },
    { choices: [{ logprobs: { top_logprobs: [] } }] },
    { choices: [{ logprobs: { top_logprobs: [null] } }] },
    legacy({}),
    legacy({ a: "x" }),
    chatLike(),
  ])("may have no list: %j", (body) => {
    expect(readCompletion(body)).toBe("no-logprobs");
  });

  it.each([undefined, null, 1, "text", [], {}, { choices: [] }, { choices: "x" }, { choices: [1] }])(
    "is none: %j",
    (body) => {
      expect(readCompletion(body)).toBe("other");
    },
  );
});

describe("the tokens of a text", () => {
  const echo = (...tokens: string[]) => ({ choices: [{ logprobs: { tokens } }] });
  it.each<[string, unknown, string[] | undefined]>([
    [
      "llama-server's",
      {
        tokens: [
          { id: 1, piece: "b" },
          { id: 2, piece: [195] },
          { id: 3, piece: [169] },
        ],
      },
      ["b", "\u00c3", "\u00a9"],
    ],
    ["an echo, with a mark before and a token after it", echo("<s>", "b", "é", "x"), ["b", "\u00c3\u00a9"]],
    ["an echo of half characters", echo("b", "\ufffd", "\ufffd"), undefined],
    ["ids alone", { tokens: [1, 2, 3] }, undefined],
    ["an error", { error: "no echo" }, undefined],
    ["no JSON", undefined, undefined],
  ])("are read: %s", (_, body, tokens) => {
    expect(readSplit(body, "bé")).toEqual(tokens);
  });
});

describe("a list of models", () => {
  it.each([undefined, null, "x", {}, { data: [] }, { data: [{}] }, { data: [{ id: 1 }] }])(
    "may be none: %j",
    (body) => {
      expect(readModels(body, undefined)).toEqual({});
    },
  );

  it.each([0, -1, null])("says nothing of a context with %j", (context) => {
    expect(readModels({ data: [{ id: "a", max_model_len: context }] }, "b")).toEqual({ model: "a" });
  });
});

describe("a complaint", () => {
  it.each([
    [{ error: { message: "one" } }, "one"],
    [{ error: "two" }, "two"],
    [{ message: "three" }, "three"],
    [{ detail: "four" }, "four"],
    [{ detail: [{ msg: "five" }] }, ""],
    [{ error: null }, ""],
    [undefined, ""],
    ["text", ""],
  ])("of %j is %j", (body, text) => {
    expect(readComplaint(body)).toBe(text);
  });
});
