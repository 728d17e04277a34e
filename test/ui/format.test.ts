import { describe, expect, it } from "vitest";
import { ArchRouteError } from "../../src/core/errors.js";
import { formatError, formatJson, formatPlain } from "../../src/ui/format.js";
import { hostile, routed } from "../helpers/routed.js";

describe("formatJson", () => {
  it("prints all of a result on one line, to three digits", () => {
    expect(formatJson(routed())).toMatchInlineSnapshot(
      `"{"route":"bug_fixing","outcome":"matched","confidence":0.912,"margin":0.852,"ranking":[{"route":"bug_fixing","probability":0.912},{"route":"日本","probability":0.06},{"route":"other","probability":0.028}],"model":"fake","tokens":{"prompt":412,"cached":231},"trimmed":false}"`,
    );
  });

  it("prints what there may be as well", () => {
    const result = {
      ...routed({ inSet: 0.99876, trimmed: true }),
      id: "12345678901234567890",
      target: { model: "m", run: [["ollama", "run", "m"], ["cat"]] },
    };
    expect(formatJson(result, 1)).toMatchInlineSnapshot(
      `"{"id":12345678901234567890,"route":"bug_fixing","outcome":"matched","confidence":0.912,"margin":0.852,"ranking":[{"route":"bug_fixing","probability":0.912}],"target":{"model":"m","command":["ollama","run","m"]},"model":"fake","tokens":{"prompt":412,"cached":231},"in_set":0.999,"trimmed":true}"`,
    );
  });

  it("prints no target that says nothing", () => {
    expect(formatJson({ ...routed(), target: {} })).toBe(formatJson(routed()));
  });

  it("prints an error in a record's place", () => {
    const error = new ArchRouteError("E_SHAPE", "expected a string", { pointer: "/prompt", hint: "quote it" });
    expect(formatJson({ id: '"x"', line: 7, error })).toMatchInlineSnapshot(
      `"{"line":7,"id":"x","error":{"code":"E_SHAPE","message":"/prompt: expected a string; quote it"}}"`,
    );
    expect(formatJson({ line: 7, error: new ArchRouteError("E_SHAPE", "oops", { pointer: "" }) })).toContain(
      '"/: oops"',
    );
  });

  it("escapes what a terminal might obey, in the id as well", () => {
    const json = formatJson({ ...routed({ route: hostile, model: "\u2028\u2029" }), id: JSON.stringify(hostile) });
    expect(json).toContain('"id":"a\\u001b]52;c;aGk=\\u0007b\\u009bc\\u202ed\\u007fe"');
    expect(json).toContain('"model":"\\u2028\\u2029"');
    expect(json).toMatch(/^[\P{Cc}]*$/u);
    expect((JSON.parse(json) as { id: string }).id).toBe(hostile);
  });
});

describe("formatPlain", () => {
  it.each([
    ["a name", undefined, false, "bug_fixing\n"],
    ["a name where a line stands for a record", undefined, true, "bug_fixing\n"],
    ["candidates a line each", 2, false, "bug_fixing\t0.912\n日本\t0.060\n"],
    ["candidates on one line", 2, true, "bug_fixing\t0.912\t日本\t0.060\n"],
    ["as many candidates as there are", 9, true, "bug_fixing\t0.912\t日本\t0.060\tother\t0.028\n"],
  ])("prints %s", (_, top, oneLine, expected) => {
    expect(formatPlain(routed(), top, oneLine)).toBe(expected);
  });

  it("prints an empty line for a failed record", () => {
    expect(formatPlain({ line: 1, error: new ArchRouteError("E_JSON", "x") }, 3, true)).toBe("\n");
  });

  it("prints names without what a terminal might obey", () => {
    expect(formatPlain(routed({ route: hostile }), undefined, false)).toBe("abcde\n");
    expect(formatPlain(routed({ ranking: [{ route: hostile, probability: 1 }] }), 1, false)).toBe("abcde\t1.000\n");
  });
});

describe("formatError", () => {
  it.each([
    ["what", new ArchRouteError("E_JSON", "oops"), "arch-route: oops\n"],
    ["what to do", new ArchRouteError("E_JSON", "oops", { hint: "try again" }), "arch-route: oops; try again\n"],
    ["where", new ArchRouteError("E_SHAPE", "oops", { pointer: "/a/0" }), "arch-route: /a/0: oops\n"],
    ["that it is the whole", new ArchRouteError("E_SHAPE", "oops", { pointer: "" }), "arch-route: /: oops\n"],
    ["several lines as one", new ArchRouteError("E_JSON", "one\n  two\r\nthree"), "arch-route: one two three\n"],
    ["nothing to a terminal", new ArchRouteError("E_JSON", hostile, { hint: hostile }), "arch-route: abcde; abcde\n"],
  ])("says %s", (_, error, expected) => {
    expect(formatError(error)).toBe(expected);
  });
});
