/**
 * `arch-route` with an engine that answers at once: `node test/bench/fake-batch.mjs -i FILE -o FILE` prints the most memory that
 * the process has held, in MiB.
 */
import { run } from "../../dist/cli.js";
import { peakMemory } from "./measure.mjs";

const engine = {
  model: "fake",
  async rank(routes) {
    const logProbabilities = [...routes, "other"].map(() => -Math.log(routes.length + 1));
    return { logProbabilities, tokens: { prompt: 10, cached: 5 }, trimmed: false };
  },
  async dispose() {},
};
const { stdin, stdout, stderr, env, pid } = process;
process.exitCode = await run(process.argv, {
  stdin,
  stdout,
  stderr,
  env,
  pid,
  cwd: () => process.cwd(),
  on: (signal, listener) => process.on(signal, listener),
  off: (signal, listener) => process.off(signal, listener),
  kill: (...args) => process.kill(...args),
  openEngine: async () => engine,
});
process.stdout.write(`${peakMemory(pid) ?? process.resourceUsage().maxRSS / 1024}\n`);
