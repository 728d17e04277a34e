import { PassThrough, Readable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { follow } from "../../src/commands/follow.js";

function setUp(shown = true, isTTY = true, env: Record<string, string> = {}) {
  const stderr = Object.assign(new PassThrough(), { isTTY, columns: 80 });
  let text = "";
  stderr.on("data", (chunk) => {
    text += chunk;
  });
  const io = { stdin: Readable.from([]), stdout: new PassThrough(), stderr, env, cwd: () => "/" };
  return { following: follow(shown, io), text: () => text };
}

const matched = (route: string) => [{ route, outcome: "matched" as const }];

describe("follow", () => {
  it.each([
    ["on a terminal", true, true, {}, /1 records/],
    ["not when nobody wants it", false, true, {}, /^$/],
    ["not into a file", true, false, {}, /^$/],
    ["not on a dumb terminal", true, true, { TERM: "dumb" }, /^$/],
  ])("shows how far it is: %s", async (_, shown, isTTY, env, expected) => {
    const { following, text } = setUp(shown, isTTY, env);
    await following.count(matched("a"), false);
    await pause(100);
    following.close();
    expect(text()).toMatch(expected);
  });

  it("sums up in one line, where it was seen", async () => {
    const { following } = setUp();
    await following.count(matched("a"), false);
    await following.count([{ route: "other", outcome: "unsure" }], false);
    await following.count([], true);
    expect(following.close()).toMatch(/^3 records in \d+ s \(\d+\/s\) · a 50 % {2}other 50 % · 1 unsure · 1 failed$/);
    const unseen = setUp(true, false).following;
    await unseen.count(matched("a"), false);
    expect(unseen.close()).toBeUndefined();
  });

  it("says how long the rest will take, where it is known how much there is", async () => {
    const { following, text } = setUp();
    // What was there when it began took none of this run's time: in a second, a tenth of all, six more are left.
    await following.count(matched("a"), false, 0.3);
    await pause(1000);
    await following.count(matched("a"), false, 0.4);
    await pause(150);
    following.close();
    expect(text()).toMatch(/2 records · [12](\.\d)?\/s · [67] s left/);
    const blind = setUp();
    await blind.following.count(matched("a"), false);
    await pause(150);
    await blind.following.count(matched("a"), false);
    await pause(150);
    blind.following.close();
    expect(blind.text()).not.toContain("left");
  });
});
