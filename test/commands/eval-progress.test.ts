import { PassThrough, Readable } from "node:stream";
import { expect, it } from "vitest";
import { followProgress } from "../../src/commands/eval-progress.js";
import { scoredTurn } from "../helpers/scored-turn.js";

const turn = { ...scoredTurn("a", { a: 0.9 }), source: "x", line: 1, turn: 1, conversation: [] };
const row = { row: { source: "x", line: 1, turns: [] }, turns: [turn] };

it.each([
  ["on a terminal", true, {}, false, /1 records/],
  ["not when quiet", true, {}, true, /^$/],
  ["not into a file", false, {}, false, /^$/],
  ["not on a dumb terminal", true, { TERM: "dumb" }, false, /^$/],
])("shows how far it is: %s", async (_, isTTY, env, quiet, shown) => {
  const stderr = Object.assign(new PassThrough(), { isTTY, columns: 80 });
  let text = "";
  stderr.on("data", (chunk) => {
    text += chunk;
  });
  const io = { stdin: Readable.from([]), stdout: new PassThrough(), stderr, env, cwd: () => "/" };
  const progress = await followProgress(quiet, io);
  await progress.onRow(row);
  await new Promise((resolve) => setTimeout(resolve, 100));
  progress.close();
  expect(text).toMatch(shown);
});
