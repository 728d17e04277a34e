/**
 * One routing after another in one process, by the library and by hand in turn: `node test/bench/warm.mjs MODEL THREADS
 * COUNT` prints {"ours": [ms], "hand": [ms], "tokens": evaluated ones of the median record}.
 */
import { createLlamaEngine } from "../../dist/index.js";
import { interleave, median } from "./measure.mjs";
import { openPlain, routes } from "./plain.mjs";
import { makeConversations } from "./records.mjs";

const [, , modelPath, threads, count] = process.argv;
const engine = await createLlamaEngine({ modelPath, threads: Number(threads), gpu: "off" });
const plain = await openPlain(modelPath, Number(threads));
await engine.rank(routes, [{ role: "user", content: "hello" }]);
await plain.begin();
await plain.next(plain.tokens([{ role: "user", content: "hello" }]));

const conversations = makeConversations(Number(count), "warm");
const tokens = conversations.map((conversation) => plain.tokens(conversation));
const milliseconds = async (work) => {
  const started = performance.now();
  await work();
  return performance.now() - started;
};
const [ours, hand] = await interleave(
  [
    {
      measure: (round) =>
        milliseconds(async () => {
          const used = (await engine.rank(routes, conversations[round])).tokens;
          const evaluated = used.prompt - used.cached;
          if (evaluated !== tokens[round].length)
            throw new Error(`the library evaluates ${evaluated} tokens, the plain script ${tokens[round].length}`);
        }),
    },
    { measure: (round) => milliseconds(() => plain.next(tokens[round])) },
  ],
  conversations.length,
);
process.stdout.write(`${JSON.stringify({ ours, hand, tokens: median(tokens.map(({ length }) => length)) })}\n`);
await engine.dispose();
await plain.llama.dispose();
