/**
 * Measures arch-route against its peers on this machine, in one run: `npm run bench -- --gguf FILE`; the README says how to get
 * them. Progress goes to stderr, the result to stdout.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { embeddedModel } from "../../dist/index.js";
import { serverVersion } from "./llama-server.mjs";
import { describeMachine, formatTable, load } from "./report.mjs";
import { batchRows, coldRows, helpRows, memoryRows, setUp, warmRows } from "./rows.mjs";

const { values: options } = parseArgs({
  options: {
    models: { type: "string", default: "mini,1.5b" },
    gguf: { type: "string" },
    "llama-server": { type: "string", default: "llama-server" },
    python: { type: "string", default: "python3" },
    threads: { type: "string", default: "1" },
    runs: { type: "string", default: "3" },
    quick: { type: "boolean", default: false },
  },
});
const say = (text) => void process.stderr.write(`${text}\n`);
const wanted = options.models.split(",");

const loadAtStart = load();
// All that is missing is named at once.
const [large, python, server] = wanted.includes("1.5b") ? [findLarge(), findPython(), findServer()] : [];
const folder = mkdtempSync(join(tmpdir(), "arch-route-bench-"));
const rows = [];
try {
  const { threads, runs, quick } = options;
  const use = setUp({ folder, threads, quick, runs: quick ? 1 : Number(runs) });
  await measure("start-up", () => helpRows(use));
  await measure("memory", () => memoryRows(use));
  // What is quick is measured more often.
  const mini = { name: "mini", reference: "mini", path: embeddedModel.path, often: quick ? 1 : 3, records: 1000 };
  const models = [...(wanted.includes("mini") ? [mini] : []), ...(large ? [{ ...large, often: 1, records: 7 }] : [])];
  for (const model of models) {
    await measure(`${model.name}, cold`, () => coldRows(use, model, model === mini ? undefined : python));
    await measure(`${model.name}, warm`, () => warmRows(use, model));
  }
  if (models.length > 0) await measure("batches", () => batchRows(use, models, large && server?.command));
} finally {
  rmSync(folder, { recursive: true });
}
const sides = `${options.threads} ${options.threads === "1" ? "thread" : "threads"} on every side, no GPU`;
const loads = `load ${loadAtStart} at the start, ${load()} at the end`;
const versions = large && server ? `; llama-server ${server.version}` : "";
process.stdout.write(`${describeMachine()}; ${loads}; ${sides}${versions}\n\n${formatTable(rows)}`);

/** A row that cannot be measured must not cost the others, which may have taken long. */
async function measure(what, make) {
  const started = performance.now();
  try {
    rows.push(...(await make()));
    say(`${what}: measured in ${((performance.now() - started) / 1000).toFixed(0)} s`);
  } catch (error) {
    say(`${what}: failed: ${error.message}`);
    process.exitCode = 1;
  }
}

function findLarge() {
  if (options.gguf === undefined || !existsSync(options.gguf)) {
    say(
      "1.5b: skipped: --gguf FILE is missing; arch-route models pull arch-router fetches one, arch-route models path prints where it is",
    );
    return undefined;
  }
  const path = realpathSync(options.gguf);
  return { name: basename(path, ".gguf"), reference: path, path };
}

function findPython() {
  const card = fileURLToPath(new URL("card.py", import.meta.url));
  if (spawnSync(options.python, [card], { stdio: "ignore" }).status === 0) return options.python;
  say(
    `the model card's Python: skipped: ${options.python} lacks a package; in a venv: pip install torch transformers gguf accelerate, then --python FILE`,
  );
  return undefined;
}

function findServer() {
  const command = options["llama-server"];
  const version = serverVersion(command);
  if (version !== undefined) return { command, version };
  say(
    `llama-server: skipped: ${command} does not start; brew install llama.cpp, or build it from github.com/ggml-org/llama.cpp, then --llama-server FILE`,
  );
  return undefined;
}
