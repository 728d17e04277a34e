import { describe, expect, it } from "vitest";
import { formatShares, formatState, formatSummary, type Tally } from "../../src/ui/tally.js";

const tally = (more: Partial<Tally> = {}): Tally => ({
  records: 1204,
  failed: 0,
  unsure: 0,
  routes: new Map([
    ["other", 301],
    ["code", 903],
  ]),
  seconds: 10,
  ...more,
});

describe("formatState", () => {
  it.each<[string, Partial<Tally>, string]>([
    ["of unknown length", {}, "1,204 records · 120/s"],
    ["with a minute left", { remaining: 61.4 }, "1,204 records · 120/s · 61 s left"],
    ["with minutes left", { remaining: 720 }, "1,204 records · 120/s · 12 min left"],
    ["with hours left", { remaining: 3 * 3600 + 300 }, "1,204 records · 120/s · 3 h 5 min left"],
    ["with unsure ones", { unsure: 1003 }, "1,204 records · 120/s · 1,003 unsure"],
    ["of a slow model", { records: 3 }, "3 records · 0.3/s"],
    ["that has just begun", { records: 0, seconds: 0 }, "0 records · 0/s"],
  ])("tells of a batch %s", (_, more, text) => {
    expect(formatState(tally(more))).toBe(text);
  });
});

describe("formatShares", () => {
  it("gives the most frequent first, five of them", () => {
    const routes = new Map([1, 2, 3, 4, 5, 6].map((count) => [`r${count}`, count]));
    expect(formatShares(tally({ routes }))).toBe("r6 29 %  r5 24 %  r4 19 %  r3 14 %  r2 10 %");
  });

  it("shows names as text", () => {
    expect(formatShares(tally({ routes: new Map([["a\u001b[31m", 1]]) }))).not.toContain("\u001b");
  });

  it("is empty before the first decision", () => {
    expect(formatShares(tally({ routes: new Map() }))).toBe("");
  });
});

describe("formatSummary", () => {
  it.each<[string, Partial<Tally>, string]>([
    ["all went well", {}, "1,204 records in 10 s (120/s) · code 75 %  other 25 %"],
    [
      "some did not",
      { unsure: 7, failed: 2, seconds: 7500 },
      "1,204 records in 2 h 5 min (0.2/s) · code 75 %  other 25 % · 7 unsure · 2 failed",
    ],
    ["all failed", { routes: new Map(), failed: 1204 }, "1,204 records in 10 s (120/s) · 1,204 failed"],
  ])("says it in one line: %s", (_, more, text) => {
    expect(formatSummary(tally(more))).toBe(text);
  });
});
