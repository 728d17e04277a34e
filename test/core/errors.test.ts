import { describe, expect, it } from "vitest";
import { ArchRouteError, BUG, COMMAND_FAILED, exitCodes, gravestExitCode, NO_ROUTE } from "../../src/core/errors.js";

describe("exitCodes", () => {
  it("are what the README promises", () => {
    expect(exitCodes).toEqual({
      ...{ E_USAGE: 2, E_CONFIG: 2, E_NUL: 2, E_TOO_LONG: 2 },
      ...{ E_READ: 3, E_UTF8: 3, E_JSON: 3, E_SHAPE: 3, E_TOO_LARGE: 3 },
      ...{ E_MODEL: 4, E_MODEL_DIED: 4, E_REMOTE: 4 },
      ...{ E_DOWNLOAD: 5, E_OUTPUT: 6 },
    });
    expect([NO_ROUTE, COMMAND_FAILED, BUG]).toEqual([1, 8, 70]);
  });
});

describe("ArchRouteError", () => {
  it("has a code and a message, and nothing else unless given", () => {
    const error = new ArchRouteError("E_JSON", "not valid JSON");
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: "ArchRouteError", code: "E_JSON", message: "not valid JSON" });
    expect([error.hint, error.pointer]).toEqual([undefined, undefined]);
    expect(Object.hasOwn(error, "cause")).toBe(false);
  });

  it.each([
    ["a hint", { hint: "do this" }],
    ["a pointer", { pointer: "/messages/0" }],
    ["an empty pointer", { pointer: "" }],
    ["a cause", { cause: new Error("below") }],
    ["a cause that is undefined", { cause: undefined }],
  ])("carries %s", (_, details) => {
    const error = new ArchRouteError("E_SHAPE", "what", details);
    expect(error).toMatchObject(details);
    expect(Object.hasOwn(error, "cause")).toBe("cause" in details);
  });
});

describe("gravestExitCode", () => {
  it.each([
    ["nothing happened", [], 0],
    ["all went well", [0, 0], 0],
    ["no route was found", [0, NO_ROUTE], 1],
    ["one input was unreadable", [1, 3], 3],
    ["a command failed", [8, 1], 8],
    ["a command failed and an input was unreadable", [8, 3], 3],
    ["a download failed", [8, 3, 5], 5],
    ["the model died", [3, 5, 4, 3], 4],
    ["the output could not be written", [4, 3, 6, 8, 1], 6],
    ["it was interrupted", [6, 4, 130], 130],
    ["two signals came", [129, 143], 143],
    ["only a mistake of use was made", [2], 2],
    ["it has a defect", [0, BUG], 70],
    ["a code outside the order stands beside one within", [2, 3, BUG], 3],
  ])("when %s: %j → %i", (_, codes, code) => {
    expect(gravestExitCode(codes)).toBe(code);
    expect(gravestExitCode(new Set(codes.toReversed()))).toBe(code);
  });

  it.each(Object.entries(exitCodes))("never makes a success of %s", (_, code) => {
    expect(gravestExitCode([0, code])).toBe(code);
  });
});
