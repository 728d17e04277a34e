import { expect, it } from "vitest";
import { readRaw } from "../../src/commands/read-raw.js";
import { readRecord } from "../../src/core/parse.js";

const raw = (text: string) => ({ source: "x", line: 7, format: "jsonl", text }) as const;

it.each([
  ['{"prompt":"x","id":12345678901234567890}', "12345678901234567890"],
  ['{"prompt":"x","id":1.50}', "1.50"],
  ['{"prompt":"x","id":"7"}', '"7"'],
  ['{"prompt":"x","id":null}', "null"],
  ['{"prompt":"x"}', undefined],
])("%s keeps its id as it was written", async (text, id) => {
  expect((await readRaw(raw(text), readRecord)).id).toBe(id);
});

it("counts lines from where the record began", async () => {
  await expect(readRaw(raw("{bad"), readRecord)).rejects.toMatchObject({ code: "E_JSON", message: /line 7, column 2/ });
});
