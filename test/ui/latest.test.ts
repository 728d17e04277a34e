import { expect, it } from "vitest";
import { latestOnly } from "../../src/ui/latest.js";

it("answers the first and the newest question", async () => {
  const asked: number[] = [];
  const ask = latestOnly(async (question: number) => {
    asked.push(question);
    await new Promise((resolve) => setTimeout(resolve, 5));
    return question * 10;
  });
  const first = ask(1);
  // The first one is under way when the others come.
  await Promise.resolve();
  expect(await Promise.all([first, ask(2), ask(3), ask(4)])).toEqual([10, undefined, undefined, 40]);
  expect(asked).toEqual([1, 4]);
});

it("goes on after a failure", async () => {
  const ask = latestOnly((fails: boolean) => (fails ? Promise.reject(new Error("no")) : Promise.resolve(1)));
  await expect(ask(true)).rejects.toThrow("no");
  expect(await ask(false)).toBe(1);
});
