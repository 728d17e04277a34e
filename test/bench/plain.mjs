/**
 * What somebody writes who has node-llama-cpp, one model and the right tokens, and nothing else: the least that a routing can
 * cost. As a program it routes one conversation, cold: `node test/bench/plain.mjs MODEL THREADS`, JSON messages on stdin.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { getLlama, LlamaLogLevel } from "node-llama-cpp";
import { answerText, buildPrompt, chat } from "../../dist/core/prompt.js";
import { queryTokens, routeTokens } from "../../dist/engine/encoder-text.js";

/** The routes of the benchmark. */
export const { routes } = JSON.parse(readFileSync(new URL("../../routes/coding.json", import.meta.url), "utf8"));

/** Names of all that may be answered. */
export const names = [...routes.map(({ name }) => name), "other"];

/**
 * A model, and what to do with it: `tokens(conversation)` are the tokens that depend on the conversation, `begin()` evaluates
 * those that do not, `next(tokens)` evaluates only these and returns the answer as this kind of model gives it.
 */
export async function openPlain(modelPath, threads) {
  const llama = await getLlama({
    gpu: false,
    build: "never",
    skipDownload: true,
    progressLogs: false,
    logLevel: LlamaLogLevel.error,
    maxThreads: threads,
  });
  const model = await llama.loadModel({ modelPath });
  const isEncoder = model.fileInfo.metadata.arch_route?.kind === "encoder";
  return { ...(isEncoder ? await openEncoder(model, threads) : await openText(model, threads)), llama };
}

async function openText(model, threads) {
  const context = await model.createContext({
    sequences: 1,
    contextSize: 4096,
    batchSize: 512,
    threads,
    flashAttention: false,
  });
  const sequence = context.getSequence();
  const start = names.map((name) => model.tokenize(answerText(name), false)).reduce(commonStart);
  const prompt = (conversation) => {
    const { prefix, suffix } = buildPrompt(routes, conversation);
    return [...model.tokenize(chat.head, true), ...model.tokenize(prefix + suffix, false)];
  };
  const prefix = commonStart(prompt([]), prompt([{ role: "user", content: "" }]));
  return {
    tokens: (conversation) => [
      ...prompt(conversation).slice(prefix.length),
      ...model.tokenize(chat.tail, true),
      ...start,
    ],
    async begin() {
      await sequence.controlledEvaluate(prefix);
    },
    async next(tokens) {
      await sequence.eraseContextTokenRanges([{ start: prefix.length, end: sequence.nextTokenIndex }]);
      const last = [tokens.at(-1), { generateNext: { token: true } }];
      const result = await sequence.controlledEvaluate([...tokens.slice(0, -1), last]);
      const text = model.detokenize([result.at(-1).next.token]);
      return names.find((name) => name.startsWith(text)) ?? text;
    },
  };
}

async function openEncoder(model, threads) {
  const context = await model.createEmbeddingContext({ contextSize: 256, batchSize: 256, threads });
  const embed = async (tokens) => (await context.getEmbeddingFor(tokens)).vector;
  const tokenize = (text) => model.tokenize(text, false);
  const vectors = [];
  return {
    tokens: (conversation) => queryTokens(conversation, tokenize).tokens,
    async begin() {
      for (const route of routes) vectors.push(await embed(routeTokens(route, tokenize).tokens));
    },
    async next(tokens) {
      const query = await embed(tokens);
      const near = vectors.map((vector) => vector.reduce((sum, x, index) => sum + x * query[index], 0));
      return names[near.indexOf(Math.max(...near))];
    },
  };
}

function commonStart(a, b) {
  const parting = a.findIndex((token, index) => b[index] !== token);
  return parting === -1 ? a : a.slice(0, parting);
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [, , modelPath, threads] = process.argv;
  const plain = await openPlain(modelPath, Number(threads));
  const tokens = plain.tokens(JSON.parse(readFileSync(0, "utf8")));
  await plain.begin();
  process.stdout.write(`${await plain.next(tokens)}\n`);
  await plain.llama.dispose();
}
