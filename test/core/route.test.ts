import { describe, expect, it } from "vitest";
import { ArchRouteError } from "../../src/core/errors.js";
import { checkRoutes, OTHER, type Route, readAlike } from "../../src/core/route.js";

const route = (name: string, description = "what it is for") => ({ name, description });

describe("readAlike", () => {
  const set = [route("a", "A"), route("b", "B")];

  it.each<[string, boolean, Route[]]>([
    ["the same routes", true, set],
    ["copies", true, [route("a", "A"), route("b", "B")]],
    ["other targets, which no model reads", true, [{ ...route("a", "A"), model: "m" }, route("b", "B")]],
    ["another order", false, [route("b", "B"), route("a", "A")]],
    ["another name", false, [route("a", "A"), route("c", "B")]],
    ["another description", false, [route("a", "A"), route("b", "C")]],
    ["fewer", false, [route("a", "A")]],
    ["more", false, [...set, route("c")]],
    ["none", false, []],
  ])("%s: %s", (_, isAlike, others) => {
    expect(readAlike(set, others)).toBe(isAlike);
    expect(readAlike(others, set)).toBe(isAlike);
  });
});

describe("checkRoutes", () => {
  it.each([
    ["one route", [route("a")]],
    ["names that differ by case", [route("a"), route("A"), route("Other")]],
    ["names that every object has", [route("__proto__"), route("constructor"), route("toString")]],
    ["names with spaces, dots and slashes", [route("a b"), route("legal/contracts"), route("gpt-4.1")]],
    ["equal descriptions", [route("a", "same"), route("b", "same")]],
    ["names in any script", [route("日本語"), route("🙂")]],
    ["a description of several lines", [route("a", "one\ntwo")]],
  ])("accepts %s", (_, routes) => {
    expect(() => checkRoutes(routes)).not.toThrow();
  });

  it.each([
    ["no routes", [], "/routes", "there are no routes"],
    ["an empty name", [route("")], "/routes/0/name", "the name is empty"],
    ["a blank name", [route("a"), route(" \t")], "/routes/1/name", "the name is empty"],
    ["a name of two lines", [route("a\nb")], "/routes/0/name", "the name has a line break"],
    ["a name with a carriage return", [route("a\r")], "/routes/0/name", "the name has a line break"],
    ["the reserved name", [route(OTHER)], "/routes/0/name", 'the name "other" is taken: it stands for "no route fits"'],
    [
      "a name used twice",
      [route("a"), route("b"), route("c"), route("b")],
      "/routes/3/name",
      'the name "b" is used twice (also by route 2)',
    ],
    ["an empty description", [route("a", "")], "/routes/0/description", 'the description of "a" is empty'],
    ["a blank description", [route("a", " \n")], "/routes/0/description", 'the description of "a" is empty'],
  ])("refuses %s", (_, routes, pointer, message) => {
    expect(failure(routes)).toMatchObject({ code: "E_SHAPE", pointer, message });
  });

  it("points into the list it was told of", () => {
    expect(failure([route("a"), route("a")], "/sets/0")).toMatchObject({ pointer: "/sets/0/1/name" });
    expect(failure([], "")).toMatchObject({ pointer: "" });
  });
});

function failure(...args: Parameters<typeof checkRoutes>): ArchRouteError {
  try {
    checkRoutes(...args);
  } catch (error) {
    if (error instanceof ArchRouteError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
