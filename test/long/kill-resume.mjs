// A batch that is killed (SIGKILL) again and again, and gone on with each time, ends in the file of an unbroken run:
//   npm run test:kill, or node test/long/kill-resume.mjs [kills] [records]
// Half of the kills come at a random moment, half when the output or the journal has reached a random size.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const [kills, records] = [Number(process.argv[2] ?? 200), Number(process.argv[3] ?? 3000)];
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
  const args = [program, "-i", at("in.jsonl"), "-o", at(output), ...options];
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

const reference = await start("reference.jsonl").ended;
const whole = { "out.jsonl": sizeOf("reference.jsonl") };
// A line of the journal is about as long as that.
whole["out.jsonl.journal"] = records * 70;

let killed = 0;
let last;
while (killed < kills) {
  const { child, ended } = start("out.jsonl", "--resume");
  let isOver = false;
  ended.then(() => {
    isOver = true;
  });
  if (Math.random() < 0.5) {
    await Promise.race([sleep(Math.random() * 1000), ended]);
  } else {
    // So far, on average, that the kills reach over the whole file.
    const name = Math.random() < 0.5 ? "out.jsonl" : "out.jsonl.journal";
    const share = (whole[name] - sizeOf(name)) / (kills - killed + 1);
    await grown(name, Math.ceil(Math.random() * 2 * Math.max(share, 1)), () => isOver);
  }
  child.kill("SIGKILL");
  last = await ended;
  if (last.signal === "SIGKILL") killed++;
  else if (last.code !== reference.code) break;
  else if (sizeOf("out.jsonl") === sizeOf("reference.jsonl")) break;
}
const done =
  sizeOf("out.jsonl.journal") === 0 ? 0 : readFileSync(at("out.jsonl.journal"), "utf8").split("\n").length - 2;
last = await start("out.jsonl", "--resume").ended;
const isSame = readFileSync(at("out.jsonl")).equals(readFileSync(at("reference.jsonl")));
const summary = { kills: killed, records, doneBeforeTheLast: done, isSame, reference, last };
process.stdout.write(`${JSON.stringify(summary)}\n`);
if (isSame) rmSync(home, { recursive: true });
process.exitCode = isSame && last.code === reference.code ? 0 : 1;
