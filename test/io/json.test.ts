import { describe, expect, it } from "vitest";
import { numberAsWritten, parseJson } from "../../src/io/json.js";

describe("parseJson", () => {
  it("reads what JSON.parse reads", async () => {
    expect(await parseJson(' {"a": [1, "ä", null, true]} ')).toEqual({ a: [1, "ä", null, true] });
  });

  it.each([
    ["nothing", "", 1, "it ends too early (line 1, column 1)"],
    ["a cut object", '{"a": 1', 1, "it ends too early (line 1, column 8)"],
    ["a cut string", '{"a": "x', 1, "line 1, column 7"],
    ["a missing value", '{"a": }', 1, "not valid JSON (line 1, column 7)"],
    ["a comment", '{"a": 1 /* one */}', 1, "not valid JSON (line 1, column 9)"],
    ["a comma too many", '{"a": 1,}', 1, "not valid JSON (line 1, column 9)"],
    ["a second document", "{} {}", 1, "not valid JSON (line 1, column 4)"],
    ["single quotes", "{'a': 1}", 1, "not valid JSON (line 1, column 2)"],
    ["a mistake further down", '{\n  "a": 1,\n  "b": oops\n}', 1, "not valid JSON (line 3, column 8)"],
    ["a mistake in a later line of the input", '{"a": }', 41, "not valid JSON (line 41, column 7)"],
    ["a raw control character in a string", '{"a": "x\u0000y"}', 1, "line 1, column"],
    ["NaN", '{"a": NaN}', 1, "not valid JSON (line 1, column 7)"],
  ])("says where %s is wrong", async (_, text, line, message) => {
    await expect(parseJson(text, line)).rejects.toMatchObject({
      code: "E_JSON",
      message: expect.stringContaining(message),
    });
  });

  it.each([10_000, 100_000, 1_000_000])("reads or refuses %i levels without a defect", async (depth) => {
    expect(await parseJson("[".repeat(depth) + "]".repeat(depth))).toBeInstanceOf(Array);
    await expect(parseJson("[".repeat(depth))).rejects.toMatchObject({ code: "E_JSON" });
  });
});

describe("numberAsWritten", () => {
  it.each([
    ["an integer", '{"id": 7}', "7"],
    ["more digits than a double holds", '{"id": 12345678901234567890}', "12345678901234567890"],
    ["a fraction", '{"id": 1.50}', "1.50"],
    ["an exponent", '{"id": 1E400}', "1E400"],
    ["minus zero", '{"id": -0}', "-0"],
    ["the last one of several", '{"id": 1, "id": 2}', "2"],
    ["none if the last one is no number", '{"id": 1, "id": null}', undefined],
    ["an escaped key", '{"\\u0069d": 7}', "7"],
    ["none in a nested object", '{"a": {"id": 7}, "b": [{"id": 8}]}', undefined],
    ["one after nested values", '{"a": {"id": 7}, "b": [1, {"id": 8}], "id": 9}', "9"],
    ["none if there is no such key", '{"prompt": "x"}', undefined],
    ["none of a string", '{"id": "7"}', undefined],
    ["one in a list of the same key, left alone", '{"id": [7]}', undefined],
  ])("finds %s", async (_, text, expected) => {
    expect(await numberAsWritten(text, "id")).toBe(expected);
  });

  it("finds it beside a value of 200,000 levels", async () => {
    const deep = "[".repeat(200_000) + "]".repeat(200_000);
    expect(await numberAsWritten(`{"deep": ${deep}, "id": 12345678901234567890}`, "id")).toBe("12345678901234567890");
  });
});
