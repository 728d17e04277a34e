// A batch that is killed (SIGKILL) again and again, and gone on with each time, ends in the file of an unbroken run:
//   npm run test:kill, or node test/long/kill-resume.mjs [kills] [records] [options of arch-route…]
// Half of the kills come at a random moment, half when the output or the journal has reached a random size.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const [kills, records] = [Number(process.argv[2] ?? 200), Number(process.argv[3] ?? 3000)];
const form = process.argv.slice(4);
const program = fileURLToPath(new URL("../../bin/arch-route.js", import.meta.url));
const home = mkdtempSync(join(tmpdir(), "arch-route-kill-"));
const at = (name) => join(home, name);
const env = {
  ...process.env,
  XDG_CONFIG_HOME: home,
  XDG_CACHE_HOME: home,
  XDG_STATE_HOME: home,
  ARCH_ROUTE_MODEL: "mini",
};

const subjects = ["fix bug number", "write a test for case", "explain the error in line", "thanks for answer", "ä€😀"];
const record = (id) => (id % 50 === 7 ? `{"id":${id}` : JSON.stringify({ id, prompt: `${subjects[id % 5]} ${id}` }));
writeFileSync(at("in.jsonl"), Array.from({ length: records }, (_, id) => `${record(id)}\n`).join(""));

/** Starts the batch; what it ends with. */
function start(output, ...options) {
  const args = [program, "-i", at("in.jsonl"), "-o", at(output), ...form, ...options];
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise((resolve) =>
    child.once("close", (code, signal) => resolve({ code, signal, stderr: stderr.trim() })),
  );
  return { child, ended };
}

function sizeOf(name) {
  return statSync(at(name), { throwIfNoEntry: false })?.size ?? 0;
}

/** Resolves when a file has grown by so many bytes. */
async function grown(name, bytes, isOver) {
  const goal = sizeOf(name) + bytes;
  while (!isOver() && sizeOf(name) < goal) await sleep(1);
}

const began = Date.now();
const unbroken = start("reference.jsonl");
await grown("reference.jsonl", 1, () => unbroken.child.exitCode !== null);
// On this machine, as busy as it is.
const startUp = Date.now() - began;
const reference = await unbroken.ended;
const whole = { "out.jsonl": sizeOf("reference.jsonl") };
// A line of the journal is about as long as that.
whole["out.jsonl.journal"] = records * 70;

/** Starts the batch and kills it; what it ended with. */
async function killOne(left) {
  const { child, ended } = start("out.jsonl", "--resume");
  let isOver = false;
  ended.then(() => {
    isOver = true;
  });
  if (Math.random() < 0.5) {
    await Promise.race([sleep(Math.random() * 1.5 * startUp), ended]);
  } else {
    // So far, on average, that the kills reach over the whole file.
    const name = Math.random() < 0.5 ? "out.jsonl" : "out.jsonl.journal";
    const share = Math.max(1, (whole[name] - sizeOf(name)) / left);
    await grown(name, Math.ceil(Math.random() * 2 * share), () => isOver);
  }
  child.kill("SIGKILL");
  return await ended;
}

function lastLine(text) {
  return text.split("\n").at(-1);
}

/** Whether a batch that came to its end gave what the unbroken one did; then its files are removed. */
function isAsTheReference({ code, stderr }) {
  // What is wrong with a record may have been said by a batch before; how many failed is the last line of all.
  if (code !== reference.code || lastLine(stderr) !== lastLine(reference.stderr)) return false;
  if (!readFileSync(at("out.jsonl")).equals(readFileSync(at("reference.jsonl")))) return false;
  rmSync(at("out.jsonl"));
  rmSync(at("out.jsonl.journal"));
  return true;
}

let [killed, batches, done, isSame] = [0, 0, 0, true];
while (isSame && killed < kills) {
  const ending = await killOne(kills - killed + 1);
  if (ending.signal === "SIGKILL") killed++;
  else {
    // A busy machine may be too slow to kill it in time: one more batch for the kills that are left.
    batches++;
    isSame = isAsTheReference(ending);
  }
  done = sizeOf("out.jsonl.journal") === 0 ? 0 : readFileSync(at("out.jsonl.journal"), "utf8").split("\n").length - 2;
}
const last = await start("out.jsonl", "--resume").ended;
isSame &&= isAsTheReference(last);
process.stdout.write(
  `${JSON.stringify({ kills: killed, records, batches: batches + 1, done, isSame, reference, last })}\n`,
);
if (isSame) rmSync(home, { recursive: true });
else process.exitCode = 1;
