import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "./helpers/run-cli.js";
import { userWith } from "./helpers/scripts.js";

// The built program (npm run build), started with nothing cached.
const program = new URL("../bin/arch-route.js", import.meta.url).pathname;

function place(cache = temporaryFolder()) {
  const env = { ...process.env, ...userWith({ model: "mini" }), XDG_CACHE_HOME: cache };
  const route = (...args: string[]) => {
    const child = spawn(process.execPath, [program, "--json", ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
    const printed = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (chunk: string) => {
        printed[name] += chunk;
      });
    }
    return new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) =>
      child.once("close", (code) => resolve({ code, ...printed })),
    );
  };
  const folder = join(cache, "arch-route");
  return { folder, vectors: join(folder, "vectors"), route };
}

const list = (folder: string) => (existsSync(folder) ? readdirSync(folder) : []);

describe("20 cold starts at once on one empty cache", { timeout: 600_000 }, () => {
  it("give the right answers, show whole files only, and leave nothing else", async () => {
    const { folder, vectors, route } = place();
    const sizes = new Set<number>();
    const look = setInterval(() => {
      for (const name of list(vectors)) {
        if (!name.startsWith(".")) sizes.add(statSync(join(vectors, name)).size);
      }
    }, 1);
    const results = await Promise.all(Array.from({ length: 20 }, () => route("fix this bug")));
    clearInterval(look);
    expect(new Set(results.map(({ code, stderr }) => `${code}${stderr}`))).toEqual(new Set(["0"]));
    // Whoever came late may have read what another one wrote; nothing else differs.
    const answers = results.map(({ stdout }) => JSON.parse(stdout));
    const untimely = answers.map((answer) => JSON.stringify({ ...answer, tokens: { ...answer.tokens, cached: 0 } }));
    expect(new Set(untimely).size).toBe(1);
    expect(answers[0].route).toBe("bug_fixing");
    expect(list(vectors)).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
    expect(sizes.size).toBe(1);
    expect(list(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    expect(JSON.parse((await route("fix this bug")).stdout).tokens.cached).toBeGreaterThan(0);
  });
});

it("a batch writes the same bytes with an empty cache and a full one", { timeout: 300_000 }, async () => {
  const { route, vectors } = place();
  const file = join(temporaryFolder(), "in.jsonl");
  const own = [{ name: "chat", description: "Small talk" }];
  const records = Array.from({ length: 9 }, (_, id) => ({
    id,
    prompt: "fix this bug",
    ...(id % 3 === 1 && { routes: own }),
    ...(id % 3 === 2 && { routes: [...own, { name: `route${id}`, description: "Something else" }] }),
  }));
  writeFileSync(file, records.map((record) => JSON.stringify(record)).join("\n"));
  const [first, second] = [await route("-i", file), await route("-i", file)];
  expect(second).toEqual(first);
  const cached = first.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line).tokens.cached);
  expect(cached.map((count) => count > 0)).toEqual(records.map(({ id }) => id % 3 === 0));
  expect(list(vectors)).toHaveLength(1);
});

describe("a cache that cannot be used", { timeout: 300_000 }, () => {
  it.each<[string, (folder: string) => void, RegExp]>([
    ["others may write into it", (folder) => chmodSync(folder, 0o777), /^arch-route: .*others may write into it.*\n$/],
    ["it cannot be made", (folder) => chmodSync(folder, 0o755), /^$/],
  ])("costs a warning at most: %s", async (_, spoil, stderr) => {
    const { folder, vectors, route } = place();
    mkdirSync(folder, { mode: 0o700 });
    spoil(folder);
    for (let run = 0; run < 2; run++) {
      const result = await route("fix this bug");
      expect(result).toMatchObject({ code: 0, stderr: expect.stringMatching(stderr) });
      expect(JSON.parse(result.stdout).route).toBe("bug_fixing");
    }
    expect(list(vectors).length).toBe(stderr.source === "^$" ? 1 : 0);
  });

  it("costs one warning where nothing can be written at all", async () => {
    const { route } = place("/dev/null/none");
    const result = await route("fix this bug");
    expect(result).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^arch-route: cache .*cannot be made.*\n$/),
    });
  });
});
