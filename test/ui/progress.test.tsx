import { PassThrough } from "node:stream";
import { render } from "ink";
import { describe, expect, it, vi } from "vitest";
import { Status, showProgress } from "../../src/ui/progress.js";
import type { Tally } from "../../src/ui/tally.js";

vi.hoisted(() => {
  // ink draws its last frame only where it takes itself to be in a build service, and colours where it sees a terminal.
  delete process.env["CI"];
  delete process.env["CONTINUOUS_INTEGRATION"];
  process.env["FORCE_COLOR"] = "1";
});

const tally = (more: Partial<Tally> = {}): Tally => ({
  records: 0,
  failed: 0,
  unsure: 0,
  routes: new Map(),
  seconds: 0,
  ...more,
});

function terminal() {
  const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 80, rows: 24 });
  return { stream, printed: () => String(stream.read() ?? "") };
}

const colours = new RegExp(`${String.fromCharCode(0x1b)}\\[[0-9;]*m`, "g");
const escapes = new RegExp(`${String.fromCharCode(0x1b)}\\[[0-9;?]*[A-Za-z]`, "g");

/** The last frame that is drawn of a status. */
function frame(status: Tally, colour: boolean): string {
  const { stream, printed } = terminal();
  const options = {
    stdout: stream as unknown as NodeJS.WriteStream,
    debug: true,
    exitOnCtrlC: false,
    patchConsole: false,
  };
  const view = render(<Status tally={status} colour={colour} />, options);
  const text = printed();
  view.unmount();
  return text.replaceAll("\u001b", "ESC");
}

describe("Status", () => {
  const busy = tally({
    records: 12_345,
    failed: 2,
    unsure: 30,
    seconds: 10,
    routes: new Map([
      ["a", 1],
      ["b", 10_000],
      ["c", 2000],
      ["d", 3],
      ["e", 4],
      ["f", 5],
    ]),
  });

  it("tells how far it is, how fast, and where most records went", () => {
    expect(frame(busy, false)).toMatchInlineSnapshot(`
      "12,345 records · 1235/s · 30 unsure · 2 failed
      b 83 %  c 17 %  f 0 %  e 0 %  d 0 %"
    `);
  });

  it("has colours if asked for", () => {
    expect(frame(busy, true)).toMatchInlineSnapshot(`
      "12,345 records · 1235/s · 30 unsureESC[31m · 2 failedESC[39m
      ESC[2mb 83 %  c 17 %  f 0 %  e 0 %  d 0 %ESC[22m"
    `);
  });

  it.each([
    ["before anything has happened", tally(), "0 records · 0/s"],
    ["at a slow start", tally({ records: 3, seconds: 2 }), "3 records · 1.5/s"],
    ["without a second gone", tally({ records: 3 }), "3 records · 0/s"],
  ])("is plain %s", (_, status, expected) => {
    expect(frame(status, false).trimEnd()).toBe(expected);
  });

  it("shows names without what a terminal might obey", () => {
    const routes = new Map([["a\u001b]52;c;aGk=\u0007b\u009b31mc\u202ed\u001b[31m", 1]]);
    expect(frame(tally({ records: 1, seconds: 1, routes }), false)).toBe("1 records · 1.0/s\nab31mcd 100 %");
  });
});

describe("showProgress", () => {
  const until = async (condition: () => boolean) => vi.waitFor(() => expect(condition()).toBe(true), { timeout: 5000 });

  it("redraws in place and takes itself away at the end", async () => {
    const { stream, printed } = terminal();
    const progress = showProgress(stream, false);
    let all = "";
    const has = (text: string) => () => {
      all += printed();
      return all.includes(text);
    };
    progress.update(tally({ records: 1, seconds: 1 }));
    await until(has("1 records"));
    progress.update(tally({ records: 2, seconds: 1, routes: new Map([["bug_fixing", 2]]) }));
    await until(has("bug_fixing 100 %"));
    progress.close();
    all += printed();
    expect(all).not.toMatch(colours);
    // Cursor moves and erasures; what is left on the screen after the last of them is nothing.
    expect(all.split(escapes).at(-1)?.trim()).toBe("");
    expect(all).toContain("\u001b[?25h");
  });

  it("leaves nothing listening behind", () => {
    const { stream } = terminal();
    const before = stream.listenerCount("resize");
    const progress = showProgress(stream, true);
    progress.update(tally({ records: 1 }));
    progress.close();
    expect(stream.listenerCount("resize")).toBe(before);
  });
});
