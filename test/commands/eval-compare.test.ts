import { expect, it } from "vitest";
import { compare, sweepHistory } from "../../src/commands/eval-compare.js";
import { type ScoredRow, scoreRows } from "../../src/commands/eval-score.js";
import type { Surroundings } from "../../src/commands/route.js";
import { createRouter } from "../../src/core/router.js";
import { type Config, resolveConfig } from "../../src/io/config.js";
import { createFakeEngine } from "../helpers/fake-engine.js";
import { temporaryFolder } from "../helpers/run-cli.js";

const row = (line: number, label: string, ...messages: string[]) => ({
  source: "x",
  line,
  turns: [{ label, conversation: messages.map((content) => ({ role: "user", content }) as const) }],
});

it("tells what a shorter history wins and loses", async () => {
  const home = temporaryFolder();
  const config = await resolveConfig({}, { env: { HOME: home, XDG_CONFIG_HOME: home }, cwd: () => home });
  const engine = createFakeEngine();
  const rank = engine.rank;
  // Decides by the first message it is shown, not the last.
  const first = { ...engine, rank: ((routes, [message]) => rank(routes, message ? [message] : [])) as typeof rank };
  const rows = [row(1, "bug_fixing", "api_help", "bug_fixing"), row(2, "api_help", "api_help", "bug_fixing")];
  const { scored } = await scoreRows(rows, createRouter(first, config.routes.routes));
  expect(scored.map(({ turns }: ScoredRow) => turns[0]?.decision.route)).toEqual(["api_help", "api_help"]);
  expect(await sweepHistory(scored, first, config)).toMatchObject([
    { history: "all", right: 1, won: 0, lost: 0, pValue: 1 },
    { history: "last", right: 1, won: 1, lost: 1, pValue: 1 },
  ]);
});

it.each([
  ["a model of this machine", "mini", undefined],
  ["other routes on the same server", "general", "https://host/v1/"],
])("compares with %s where a server is in use", async (_, reference, url) => {
  const home = temporaryFolder();
  const opened: (string | undefined)[] = [];
  const openEngine = async ({ server }: Config) => {
    opened.push(server?.url.href);
    return createFakeEngine();
  };
  const io = { env: { HOME: home, XDG_CONFIG_HOME: home }, cwd: () => home } as unknown as Surroundings;
  const flags = { engine: "openai", url: "https://host/v1" };
  await compare(reference, [], flags, { io, use: { isolated: true, warn: () => undefined }, openEngine });
  expect(opened).toEqual([url]);
});
