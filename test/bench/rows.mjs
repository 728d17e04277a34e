import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildPrompt } from "../../dist/core/prompt.js";
import { startServer } from "./llama-server.mjs";
import { interleave, peakMemory, streamed, timed } from "./measure.mjs";
import { routes } from "./plain.mjs";
import { makeConversations, toJsonl } from "./records.mjs";

/**
 * A line of the table: `ours` and `peer` are {name, values}, values in `unit`, those of one round at the same place.
 * `ratio` says which way; `goal` is {atLeast} or {atMost} of it, absent where the design has none.
 */

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const program = here("../../bin/arch-route.js");

/** What a row needs to know: where to work, with what, how often. */
export function setUp({ folder, threads, runs, quick }) {
  const home = {
    HOME: folder,
    XDG_CONFIG_HOME: join(folder, "config"),
    XDG_CACHE_HOME: join(folder, "cache"),
    XDG_STATE_HOME: join(folder, "state"),
  };
  const env = { PATH: process.env.PATH, LANG: process.env.LANG, OMP_NUM_THREADS: String(threads), ...home };
  return { folder, env, threads, quick, runs };
}

/** Start-up: help against a Node that does nothing. */
export async function helpRows({ env, runs }) {
  const node = (...args) => timed(process.execPath, args, { env }).seconds * 1000;
  const [ours, peer] = await interleave(
    [{ measure: () => node(program, "--help") }, { measure: () => node("-e", "0") }],
    runs * 4,
  );
  return [
    {
      what: "start-up",
      unit: "ms",
      ours: { name: "`--help`", values: ours },
      peer: { name: "`node -e 0`", values: peer },
      ratio: "ours/peer",
      goal: { atMost: 2 },
    },
  ];
}

/** One routing from the start of a process to its end: with what earlier ones kept, against those who keep nothing. */
export async function coldRows({ env, folder, threads, runs }, model, python) {
  const [conversation] = makeConversations(1, "cold");
  const rounds = runs * model.often;
  const node = (script, args, input) => timed(process.execPath, [script, ...args], { env, input });
  const flags = ["-m", model.reference, "--gpu", "off", "--threads", threads];
  const route = () => node(program, [...flags, conversation[0].content]);
  const plain = () => node(here("plain.mjs"), [model.path, threads], JSON.stringify(conversation));

  // Once unmeasured: files are in the system's memory then, and what can be kept is.
  plain();
  const answer = route().stdout.trim();
  const kept = ["prefixes", "vectors"].map((name) => join(folder, "cache", "arch-route", name));
  const keeps = kept.some(existsSync);
  const fresh = () => {
    for (const path of kept) rmSync(path, { recursive: true, force: true });
    return route().seconds;
  };
  const { prefix, suffix } = buildPrompt(routes, conversation);
  // The card's template writes the role itself.
  const message = (prefix + suffix).replace(/^user\n/, "");
  let alike = true;
  const card = () => {
    const { seconds, stdout } = timed(python, [here("card.py"), model.path, threads], { env, input: message });
    alike &&= JSON.parse(stdout).answer.includes(`"${answer}"`);
    return seconds;
  };
  const subjects = [
    { measure: () => route().seconds },
    { measure: card, rounds: python ? Math.min(2, rounds) : 0 },
    { measure: () => plain().seconds },
    { measure: fresh, rounds: keeps ? rounds : 0 },
  ];
  const [ours, ...peers] = await interleave(subjects, rounds);
  const kinds = [
    { name: `the model card's Python (${alike ? "same" : "other"} answer)`, ratio: "peer/ours", goal: { atLeast: 10 } },
    { name: "a plain node-llama-cpp script", ratio: "ours/peer" },
    { name: "itself, with no routes kept", ratio: "peer/ours" },
  ];
  return kinds.flatMap(({ name, ...rest }, index) => {
    if (peers[index].length === 0) return [];
    const row = { what: "one routing, cold", model: model.name, unit: "s", ours: { name: "a prompt", values: ours } };
    return [{ ...row, peer: { name, values: peers[index] }, ...rest }];
  });
}

/** One routing more in a process that has the model and the routes. */
export async function warmRows({ env, threads, runs, quick }, model) {
  const count = quick ? 2 : runs * model.often * 3;
  const { stdout } = timed(process.execPath, [here("warm.mjs"), model.path, threads, count], { env });
  const { ours, hand, tokens } = JSON.parse(stdout);
  return [
    {
      what: `one routing, warm (${tokens} tokens)`,
      model: model.name,
      unit: "ms",
      ours: { name: "the library", values: ours },
      peer: { name: "these tokens by hand with node-llama-cpp", values: hand },
      ratio: "ours/peer",
      goal: { atMost: 1.05 },
    },
  ];
}

/**
 * Records of a batch from the first answer to the last, so that no side pays for its start: by each model and, with the last of
 * them, by llama-server. Then the memory that this takes.
 */
export async function batchRows({ env, folder, threads, runs, quick }, models, llamaServer) {
  const large = models.at(-1);
  const server = llamaServer && (await startServer(llamaServer, large.path, threads));
  const records = (model, round) => makeConversations(quick ? 3 : model.records, `batch-${round}`);
  const answers = { ours: [], server: [] };
  const memory = models.map(() => []);

  const batch = (model, index) => async (round) => {
    const input = join(folder, "records.jsonl");
    writeFileSync(input, toJsonl(records(model, round)));
    const args = [program, "-m", model.reference, "--gpu", "off", "--threads", threads, "-i", input];
    const { lines, seconds, memory: most } = await streamed(process.execPath, args, { env });
    memory[index].push(most);
    if (model === large) answers.ours.push(...lines.map((line) => JSON.parse(line).route));
    return (lines.length - 1) / seconds;
  };
  const requests = async (round) => {
    const [first, ...rest] = records(large, round);
    answers.server.push(await server.route(first));
    const started = performance.now();
    for (const conversation of rest) answers.server.push(await server.route(conversation));
    return (rest.length * 1000) / (performance.now() - started);
  };
  try {
    const subjects = models.map((model, index) => ({ measure: batch(model, index) }));
    if (server) subjects.push({ measure: requests });
    const rates = await interleave(subjects, runs);
    const compared = (model) => {
      if (model !== large) return [{ peer: { name: large.name, values: rates[1] }, goal: { atLeast: 50 } }];
      if (!server) return [];
      const alike = answers.ours.filter((name, index) => name === answers.server[index]).length;
      const name = `llama-server (${alike} of ${answers.ours.length} answers alike)`;
      const held = rates[0].map(() => peakMemory(server.pid));
      return [
        { peer: { name, values: rates[models.length] }, goal: { atLeast: 1.2 } },
        { peer: { name: "llama-server", values: held } },
      ];
    };
    return models.flatMap((model, index) => {
      const [ours, held] = [
        { name: "JSONL", values: rates[index] },
        { name: "both processes", values: memory[index] },
      ];
      const [comparedRate, comparedMemory] = compared(model);
      const row = { model: model.name, ratio: "ours/peer" };
      const rate = { ...row, what: "records a second", unit: "/s", ours, ...comparedRate };
      // Without /proc it is not known.
      if (held.values.includes(undefined)) return [rate];
      return [rate, { ...row, what: "memory, a batch", unit: "MiB", ours: held, ...comparedMemory }];
    });
  } finally {
    await server?.stop();
  }
}

/** Whether memory grows with the length of a batch: an engine that answers at once. */
export async function memoryRows({ env, folder, runs, quick }) {
  const [few, many] = quick ? [100, 5000] : [1000, 100_000];
  const [input, output] = ["in.jsonl", "out.jsonl"].map((name) => join(folder, name));
  const peak = (count) => {
    writeFileSync(input, toJsonl(makeConversations(count, "memory")));
    return Number(timed(process.execPath, [here("fake-batch.mjs"), "-i", input, "-o", output], { env }).stdout);
  };
  // What is reached with many is the heap's full size if still more do not raise it.
  const [less, more, most] = await interleave(
    [{ measure: () => peak(few) }, { measure: () => peak(many) }, { measure: () => peak(3 * many), rounds: 1 }],
    runs,
  );
  const name = (count) => `${count.toLocaleString("en")} records`;
  const row = { what: "memory, without a model", unit: "MiB", ratio: "ours/peer", goal: { atMost: 1.1 } };
  return [
    { ...row, ours: { name: name(many), values: more }, peer: { name: name(few), values: less } },
    { ...row, ours: { name: name(3 * many), values: most }, peer: { name: name(many), values: more } },
  ];
}
