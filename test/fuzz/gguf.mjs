/**
 * Fuzzes the header check of GGUF files: `node test/fuzz/gguf.mjs [seconds] [seed]`, after a build.
 * Inputs are mutations of test/fixtures/gguf-corpus; one that is answered in new words joins the corpus of the run, and
 * with FUZZ_KEEP=1 the folder. A child process does the work, so that a hang or a crash is seen from outside and the
 * input that caused it is left in a file. Exits with 1 for anything but a header or E_MODEL within a second.
 */
import { fork } from "node:child_process";
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readGgufHeader } from "../../dist/engine/gguf.js";

const corpusFolder = fileURLToPath(new URL("../fixtures/gguf-corpus/", import.meta.url));
const MOST_SEEDS = 40;
const MOST_BYTES = 4000;
/** CPU milliseconds that an answer may take, and megabytes the process may grow to. */
const LIMIT = 1000;
const MEMORY = 600;
const HANG = 20_000;

// What breaks parsers: the ends of the number types, and sizes that overflow when multiplied.
const numbers = [
  0n,
  1n,
  31n,
  32n,
  255n,
  2n ** 16n,
  2n ** 20n,
  2n ** 22n,
  2n ** 24n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
];
numbers.push(
  2n ** 32n,
  2n ** 53n,
  2n ** 60n,
  2n ** 61n,
  2n ** 62n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
  2n ** 64n - 32n,
);

/** Numbers in [0, 1), the same ones for the same seed (mulberry32). */
function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One change of a file. */
function change(bytes, pick, seeds) {
  const at = pick(bytes.length);
  switch (pick(9)) {
    case 0:
      bytes[at] = pick(256);
      return bytes;
    case 1:
      bytes[at] ^= 1 << pick(8);
      return bytes;
    case 2:
      return bytes.subarray(0, at + 1);
    case 3: {
      const other = seeds[pick(seeds.length)];
      const from = pick(other.length);
      return Buffer.concat([bytes.subarray(0, at), other.subarray(from, from + pick(96)), bytes.subarray(at)]);
    }
    case 4:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + pick(24))]);
    case 5: {
      // A piece of itself once more: entries, texts and tensors twice.
      const piece = bytes.subarray(at, at + pick(128));
      return Buffer.concat([bytes.subarray(0, at), piece, piece, bytes.subarray(at + piece.length)]);
    }
    case 6:
      return Buffer.concat([bytes, Buffer.alloc(pick(512))]);
    default: {
      if (bytes.length < 8) return bytes;
      const value = numbers[pick(numbers.length)] + BigInt(pick(3) - 1);
      const wide = pick(3) > 0;
      // Half of all changes of numbers hit where the counts are.
      const place = pick(2) ? pick(Math.min(24, bytes.length - 7)) : pick(bytes.length - 7);
      if (wide) bytes.writeBigUInt64LE(BigInt.asUintN(64, value), place);
      else bytes.writeUInt32LE(Number(BigInt.asUintN(32, value)), place);
      return bytes;
    }
  }
}

/** Writes a file; now and then with a hole behind it, so that huge counts fit into its size. */
function write(path, bytes, size) {
  const file = openSync(path, "w", 0o600);
  writeSync(file, bytes);
  if (size > bytes.length) ftruncateSync(file, size);
  closeSync(file);
}

function answer(path) {
  try {
    const header = readGgufHeader(path);
    return { words: `read ${header.chatml} ${header.metadata.size}`, fine: true };
  } catch (error) {
    return { words: String(error.message).replace(path, "").replace(/\d+/g, "N"), fine: error.code === "E_MODEL" };
  }
}

function child([seconds, seed, folder]) {
  const seeds = readdirSync(corpusFolder).map((name) => readFileSync(join(corpusFolder, name)));
  const random = generator(Number(seed));
  const pick = (below) => Math.floor(random() * below);
  const path = join(folder, "input.gguf");
  const seen = new Set();
  let [inputs, slowest] = [0, 0];
  const fail = (why) => {
    process.send({ failed: why, inputs });
    process.exitCode = 1;
  };
  for (const end = Date.now() + Number(seconds) * 1000; Date.now() < end; inputs++) {
    let bytes = Buffer.from(seeds[pick(seeds.length)]);
    for (let changes = 1 + pick(5); changes > 0 && bytes.length > 0; changes--) bytes = change(bytes, pick, seeds);
    const hole = pick(8) === 0 ? 2 ** (12 + pick(29)) : 0;
    write(path, bytes, hole);
    if (inputs % 256 === 0) process.send({ inputs, slowest, words: seen.size });
    // CPU time: other work on the machine must not look like a slow answer.
    const before = process.cpuUsage();
    const { words, fine } = answer(path);
    const { user, system } = process.cpuUsage(before);
    const took = (user + system) / 1000;
    slowest = Math.max(slowest, took);
    if (!fine) return fail(`it threw: ${words}`);
    if (took > LIMIT) return fail(`it took ${Math.round(took)} ms: ${words}`);
    if (seen.has(words)) continue;
    seen.add(words);
    if (bytes.length > 0 && bytes.length <= MOST_BYTES && hole === 0) keep(seeds, bytes);
    if (process.memoryUsage.rss() > MEMORY * 2 ** 20) return fail("it took too much memory");
  }
  process.send({ inputs, slowest, words: seen.size, rss: Math.round(process.resourceUsage().maxRSS / 1024) });
}

function keep(seeds, bytes) {
  seeds.push(bytes);
  if (process.env.FUZZ_KEEP !== "1") return;
  mkdirSync(corpusFolder, { recursive: true });
  const there = readdirSync(corpusFolder).length;
  if (there < MOST_SEEDS) writeFileSync(join(corpusFolder, `${String(there).padStart(2, "0")}.gguf`), bytes);
}

function parent([seconds = "60", seed = String(Date.now() % 2 ** 31)]) {
  const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "arch-route-fuzz-"));
  const worker = fork(fileURLToPath(import.meta.url), ["--child", seconds, seed, folder]);
  let last = {};
  let alive = Date.now();
  const started = Date.now();
  worker.on("message", (message) => {
    last = { ...last, ...message };
    alive = Date.now();
  });
  const watch = setInterval(() => {
    if (Date.now() - alive < HANG) return;
    last.failed = "it hangs";
    worker.kill("SIGKILL");
  }, 1000);
  worker.on("exit", (code, signal) => {
    clearInterval(watch);
    const failed = last.failed ?? (code === 0 ? undefined : `the process ended with ${signal ?? code}`);
    process.stdout.write(
      `${JSON.stringify({ seconds: (Date.now() - started) / 1000, seed: Number(seed), ...last, failed })}\n`,
    );
    if (failed === undefined) return rmSync(folder, { recursive: true });
    process.stdout.write(`the input is ${join(folder, "input.gguf")}\n`);
    process.exitCode = 1;
  });
}

if (process.argv[2] === "--child") child(process.argv.slice(3));
else parent(process.argv.slice(2));
