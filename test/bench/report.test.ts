import { describe, expect, it } from "vitest";

/** Cells of the last line of the table that a row makes. */
async function cells(row: object): Promise<string[]> {
  const { formatTable } = await import(new URL("report.mjs", import.meta.url).href);
  return String(formatTable([{ what: "w", unit: "s", ...row }]))
    .trimEnd()
    .split("\n")
    .slice(-1)
    .flatMap((line) => line.split("|").slice(1, -1))
    .map((cell) => cell.trim());
}

describe("a row", () => {
  const ours = { name: "A", values: [1, 9, 2] };
  const peer = { name: "B", values: [2, 10, 8] };

  it("has both medians, and the median of the rounds' ratios", async () => {
    const row = await cells({ ours, peer, ratio: "ours/peer", goal: { atMost: 0.5 } });
    expect(row).toEqual(["w", "", "A: 2.00 s", "B: 8.00 s", "0.50 (0.25 to 0.90, n = 3)", "≤ 0.5: reached"]);
  });

  it("compares the rounds that both took part in", async () => {
    const row = await cells({
      ours,
      peer: { name: "B", values: [30, 90] },
      ratio: "peer/ours",
      goal: { atLeast: 20.5 },
    });
    expect(row.slice(3)).toEqual(["B: 60.0 s", "20.0 (10.0 to 30.0, n = 2)", "≥ 20.5: missed"]);
  });

  it("can do without a goal, and without a peer", async () => {
    expect((await cells({ ours, peer, ratio: "ours/peer" }))[5]).toBe("");
    expect(await cells({ ours })).toEqual(["w", "", "A: 2.00 s", "", "", ""]);
  });
});
