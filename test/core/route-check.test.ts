import { describe, expect, it } from "vitest";
import { checkTexts } from "../../src/core/route-check.js";

const parcels = { name: "shipping", description: "Parcels, tracking numbers, delivery dates and couriers" };
const check = (name: string, description: string) => checkTexts([{ name, description }, parcels]);

describe("a route's text", () => {
  it.each([
    ["billing", "Invoices, charges, payment methods and subscription fees", []],
    ["crashes", "The app does not work, crashes or shows errors", []],
    ["コード", "プログラムの作成と修正", []],
    ["billing", "Billing", ["vague"]],
    ["billing", "Everything about billing and related topics", ["vague"]],
    ["billing", "Help", ["vague"]],
    ["writing", "Write, rewrite, edit and improve", ["verbs"]],
    ["coding", "Generating, fixing, explaining", ["verbs"]],
    ["chat", "Small talk and greetings, but not source code", ["negation"]],
    ["chat", "Greetings, everything except payments", ["negation"]],
    ["route_1", "Invoices, charges and fees", ["name"]],
    ["x", "Invoices, charges and fees", ["name"]],
    ["billing", `Invoices, ${"charges, ".repeat(80)}fees`, ["too-long"]],
  ])("%s: %.40s → %j", (name, description, kinds) => {
    expect(check(name, description).map(({ kind }) => kind)).toEqual(kinds);
  });

  it("every finding says which route and what to edit", () => {
    expect(check("route_1", "Invoices, charges and fees")).toEqual([
      {
        routes: ["route_1"],
        kind: "name",
        message: "the name says nothing, and the model reads it too",
        fix: "rename it after its subject: invoices_charges",
      },
    ]);
  });
});

describe("routes together", () => {
  it("find two of the same words", () => {
    const twin = { name: "post", description: "Delivery dates, parcels, couriers and tracking numbers" };
    expect(checkTexts([parcels, twin])).toMatchObject([{ kind: "overlap", routes: ["shipping", "post"] }]);
  });

  const sql = [
    { name: "sql_joins", description: "SQL joins and window functions" },
    { name: "sql_tuning", description: "Slow SQL, indexes and execution plans" },
    { name: "sql_migrations", description: "Changing SQL schemas and columns" },
  ];
  it("find a subject that has no route of its own", () => {
    const findings = checkTexts(sql);
    expect(findings).toMatchObject([{ kind: "no-general-route", fix: expect.stringContaining("add {name: sql") }]);
  });

  it.each([
    ["a route named after it", { name: "sql", description: "The language and its dialects" }],
    ["a general route", { name: "databases", description: "General database theory" }],
  ])("but not with %s", (_, route) => {
    expect(checkTexts([...sql, route]).filter(({ kind }) => kind === "no-general-route")).toEqual([]);
  });
});
