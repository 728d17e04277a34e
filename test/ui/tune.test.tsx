import type { EventEmitter } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cleanup, render } from "ink-testing-library";
import stringWidth from "string-width";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Turn } from "../../src/core/labels.js";
import type { Route } from "../../src/core/route.js";
import { type RouteFile, saveDescriptions } from "../../src/io/route-file-edit.js";
import { Tune, type TuneProps } from "../../src/ui/tune.js";
import { temporaryFolder } from "../helpers/run-cli.js";

const routes: Route[] = [
  { name: "alpha", description: "Apples" },
  { name: "beta", description: "Bananas" },
];
const misses: Turn[] = ["bananas or cherries", "cherries"].map((content) => ({
  label: "alpha",
  conversation: [{ role: "user", content }],
}));
/** The more words of the prompt a description has, the likelier its route. */
const rank: TuneProps["rank"] = async (among, conversation) => {
  const words = (conversation.at(-1)?.content ?? "").split(" ");
  const hits = among.map(({ description }) => words.filter((word) => description.toLowerCase().includes(word)).length);
  const weights = [...hits.map((count) => 10 ** count), 3];
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return {
    logProbabilities: weights.map((weight) => Math.log(weight / total)),
    tokens: { prompt: 1, cached: 0 },
    trimmed: false,
  };
};
const ESC = String.fromCharCode(27);
const down = `${ESC}[B`;

function show(props: Partial<TuneProps> = {}) {
  const save = vi.fn(async () => "saved: routes.yaml");
  const view = render(<Tune routes={routes} misses={misses} rank={rank} save={save} colour={false} {...props} />);
  /** Presses keys one after the other, each after the screen has settled. */
  async function press(...keys: string[]): Promise<void> {
    for (const key of keys) {
      view.stdin.write(key);
      // A lone escape is told from the beginning of a sequence by what follows it.
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
  }
  /** Waits for what the screen is to show at last: the model is asked after a pause. */
  const shows = (text: string | RegExp) =>
    vi.waitFor(() => expect(view.lastFrame()?.replace(/\s+/g, " ")).toMatch(text), { timeout: 5000 });
  return { ...view, press, shows, save };
}

afterEach(cleanup);

describe("tune", () => {
  it("shows routes, bars, the conversation and the chosen description", async () => {
    const { shows, lastFrame } = show();
    await shows(/miss 1 of 2: beta/);
    expect(lastFrame()).toMatchInlineSnapshot(`
      "> alpha   7 % ██                             user: bananas or cherries
       *beta   71 % █████████████████████
        other  21 % ██████













      ── description of alpha ────────────────────────────────────────────────────────────────────────────
      Apples



      miss 1 of 2: beta, but alpha is expected
      ↑↓ route · e description · Tab prompt · n p miss · u undo · r redo · s save · q quit"
    `);
  });

  it("an edit flips the route, a save keeps the comments, and undo takes it back", async () => {
    const path = join(temporaryFolder(), "routes.yaml");
    const text = "# mine\n- name: alpha # first\n  description: Apples\n- {name: beta, description: Bananas}\n";
    writeFileSync(path, text);
    let file: RouteFile = { path, text };
    const save = async (edited: readonly Route[]) => {
      file = await saveDescriptions(file, edited);
      return "saved: it";
    };
    const { press, shows } = show({ save });
    await shows(/\*beta/);
    await press("e", " and bananas or cherries", ESC);
    await shows(/>\*alpha .* as expected · not saved/);
    await press("u");
    await shows(/ \*beta/);
    await press("r");
    await shows(/alpha, as expected · not saved/);
    await press("s");
    await shows(/saved: it/);
    expect(readFileSync(path, "utf8")).toBe(text.replace("Apples", "Apples and bananas or cherries"));
    await press("u");
    await shows(/· not saved/);
    await press("s");
    await shows(/saved: it/);
    expect(readFileSync(path, "utf8")).toBe(text);
  });

  it("steps through the misses", async () => {
    const { press, shows } = show();
    await shows(/miss 1 of 2: beta, but alpha is expected/);
    await press("n");
    await shows(/miss 2 of 2: other: no route fits, but alpha is expected/);
    await press("n");
    await shows(/miss 1 of 2/);
  });

  it("routes the prompt that is typed", async () => {
    const { press, shows } = show({ misses: [] });
    await shows(/Tab, then type a prompt/);
    await press("\t", "a", "pples");
    await shows(/\*alpha/);
    await press("\r", down);
    await shows(/> beta/);
  });

  it("asks before it leaves what is not saved", async () => {
    const { press, shows } = show();
    await press("e", "x", "\r", "q");
    await shows(/not saved: s saves, q once more leaves without/);
  });

  it("says why it could not save, and keeps the edit", async () => {
    const { press, shows } = show({ save: () => Promise.reject(new Error("no space left")) });
    await press("e", "x", "\r", "s");
    await shows(/no space left/);
    await press("j");
    await shows(/not saved/);
  });

  it("fits into 80 × 24 without colour, however much there is", async () => {
    const description = "word ".repeat(80);
    const many = Array.from({ length: 40 }, (_, index) => ({ name: `route_${index}`, description }));
    const long = [{ label: "route_0", conversation: [{ role: "user" as const, content: "漢字 ".repeat(3000) }] }];
    const { press, shows, stdout, lastFrame } = show({ routes: many, misses: long });
    resize(stdout, 80, 24);
    await press("k", "k");
    await shows(/>.*route_38/);
    const frame = lastFrame() ?? "";
    expect(frame.split("\n").length).toBeLessThanOrEqual(24);
    expect(Math.max(...frame.split("\n").map((line) => stringWidth(line)))).toBeLessThanOrEqual(80);
    expect(frame).not.toContain(ESC);
  });

  it("asks for a larger window, and comes back in one", async () => {
    const { shows, stdout } = show();
    await shows(/miss 1/);
    resize(stdout, 40, 24);
    await shows(/make the window larger/);
    resize(stdout, 100, 24);
    await shows(/alpha/);
  });
});

function resize(stdout: object, columns: number, rows: number): void {
  Object.defineProperties(stdout, {
    columns: { value: columns, configurable: true },
    rows: { value: rows, configurable: true },
  });
  (stdout as EventEmitter).emit("resize");
}
