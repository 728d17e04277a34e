import { Readable } from "node:stream";
import { expect, it } from "vitest";
import { readRows } from "../../src/commands/eval-rows.js";

const options = (text: string) =>
  ({ stdin: Readable.from([Buffer.from(text)]), format: "auto", maxRecordBytes: 100 }) as const;
const routes = [{ name: "a", description: "a" }];

it("reads what it can, and says where it cannot", async () => {
  const lines = ['{"prompt":"x","route":"a","id":10}', "{bad", '{"prompt":"x","route":"b"}', "x".repeat(200), '["x"]'];
  const { rows, failures } = await readRows(["-", "/nowhere"], options(`${lines.join("\n")}\n`), routes);
  expect(rows).toMatchObject([{ source: "-", line: 1, id: "10", turns: [{ label: "a" }] }]);
  expect(failures.map(({ line, error }) => `${line} ${error.code}`)).toEqual([
    "2 E_JSON",
    "3 E_SHAPE",
    "4 E_TOO_LARGE",
    "5 E_SHAPE",
    "1 E_READ",
  ]);
});

it("has no use for text", async () => {
  const { failures } = await readRows(["-"], options("only words\n"), routes);
  expect(failures).toMatchObject([{ error: { message: "plain text has no labels" } }]);
});
