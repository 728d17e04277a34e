import { type AnswerNode, answerTrie, descend } from "../core/answer.js";
import { type Conversation, trimConversation } from "../core/conversation.js";
import type { Engine, Scores } from "../core/engine.js";
import { ArchRouteError } from "../core/errors.js";
import { logSumExp } from "../core/probability.js";
import { answerText, buildPrompt, chat, type Unicode } from "../core/prompt.js";
import { OTHER, type Route, readAlike } from "../core/route.js";
import type { PrefixCache, SavedSequence } from "./prefix-cache.js";

/** What the generative engine needs of a loaded language model with one sequence of evaluated tokens. */
export interface TextModel extends SavedSequence {
  /** Tokens that the sequence can hold. */
  readonly contextSize: number;
  /** Text → token ids; special tokens are recognised in it only if `special`. */
  tokenize(text: string, special: boolean): number[];
  /** Evaluates tokens after those already there, in one call. */
  evaluate(tokens: readonly number[]): Promise<void>;
  /** As evaluate; then what the model thinks of `candidates` as the next token. */
  evaluateNext(tokens: readonly number[], candidates: readonly number[]): Promise<NextToken>;
  dispose(): Promise<void>;
}

export interface NextToken {
  /** Raw logits of the candidates asked for. */
  readonly logits: ReadonlyMap<number, number>;
  /** ln Σ exp(logit) over the whole vocabulary. */
  readonly logTotal: number;
}

/** Below this probability the answers under a node share its mass evenly: telling them apart is not worth an evaluation. */
const NEGLIGIBLE = 1e-3;

export interface GenerativeOptions {
  /** The routes of the run: evaluated at once, and what of them a prompt holds counts as cached. */
  readonly routes?: readonly Route[] | undefined;
  /** Where one prefix is kept for the next run: that of these routes, without them that of the first ones. */
  readonly cache?: PrefixCache | undefined;
}

/** Arch-Router: the model reads its trained prompt, and the answer is one of the candidates by construction. */
export function createGenerativeEngine(
  model: string,
  text: TextModel,
  unicode: Unicode,
  { routes: ofRun, cache }: GenerativeOptions = {},
): Engine {
  let kept = ofRun;
  let prepared: Prepared | undefined;
  // The prefix at the start of the sequence; empty: nothing that can be built on.
  let evaluated: readonly number[] = [];

  function prepare(routes: readonly Route[]): Prepared {
    if (prepared && readAlike(prepared.routes, routes)) return prepared;
    const names = [...routes.map((route) => route.name), OTHER];
    const answers = names.map((name) => text.tokenize(answerText(name, unicode), false));
    const { tokens: start, node } = descend(answerTrie(answers));
    // What two prompts share whose conversations begin differently; a cut of the text could fall within a token.
    const prefix = commonStart(promptTokens(routes, []), promptTokens(routes, [{ role: "user", content: "" }]));
    prepared = {
      routes,
      prefix,
      tail: [...text.tokenize(chat.tail, true), ...start],
      answers: node,
      longestAnswer: Math.max(...answers.map((tokens) => tokens.length)),
    };
    return prepared;
  }

  /** How to count a prompt's tokens, and how many they may be. Throws E_TOO_LARGE if the routes alone are too many. */
  function budgetOf({ routes, tail, longestAnswer }: Prepared) {
    const tokens = text.contextSize - longestAnswer - 1;
    const count = (part: Conversation) => promptTokens(routes, part).length + tail.length;
    // A message of which all but the mark of the cut is gone.
    const least = count([{ role: "user", content: "…" }]);
    if (least > tokens) {
      throw new ArchRouteError(
        "E_TOO_LARGE",
        `the routes need ${least + longestAnswer + 1} tokens, the context holds ${text.contextSize}`,
        {
          hint: "shorten descriptions or raise --context",
        },
      );
    }
    return { tokens, count };
  }

  async function rank(routes: readonly Route[], whole: Conversation): Promise<Scores> {
    const own = prepare(routes);
    const { prefix, tail, answers } = own;
    const { conversation, trimmed } = trimConversation(whole, budgetOf(own));
    const prompt = promptTokens(routes, conversation);
    if (!startsWith(prompt, prefix)) throw new Error("the prompt does not begin with its own prefix");
    kept ??= routes;
    const isKept = readAlike(routes, kept);
    const reused = await evaluatePrefix(prefix, isKept);
    // What had to be evaluated again for a run's own routes depends on the records before; the output must not.
    const cached = ofRun === undefined ? reused : isKept ? prefix.length : 0;
    const next = await text.evaluateNext([...prompt.slice(prefix.length), ...tail], [...answers.children.keys()]);
    const logProbabilities: number[] = new Array(routes.length + 1).fill(-Infinity);
    await spread(answers, next, 0, logProbabilities);
    const inSet = Math.exp(childMass(answers, next) - next.logTotal);
    return { logProbabilities, inSet, tokens: { prompt: prompt.length + tail.length, cached }, trimmed };
  }

  /** The user message is tokenised whole, as the model was trained on it; head and tail are ours. */
  function promptTokens(routes: readonly Route[], conversation: Conversation): number[] {
    const { prefix, suffix } = buildPrompt(routes, conversation, unicode);
    return [...text.tokenize(chat.head, true), ...text.tokenize(prefix + suffix, false)];
  }

  /**
   * Leaves the sequence with the prefix alone in it; returns how much of it was there already. It is always evaluated
   * by itself and in one call: the shape of a batch shows in the last digits of the scores.
   */
  async function evaluatePrefix(prefix: readonly number[], isKept: boolean): Promise<number> {
    if (evaluated.length === prefix.length && startsWith(evaluated, prefix)) {
      await text.truncate(prefix.length);
      return prefix.length;
    }
    evaluated = [];
    await text.truncate(0);
    const restored = isKept && (await cache?.restore(prefix)) === true;
    if (!restored) await text.evaluate(prefix);
    if (!restored && isKept) await cache?.keep(prefix);
    evaluated = prefix;
    return restored ? prefix.length : 0;
  }

  /** What a run's own routes need before its first record. Routes that are too many are each record's error. */
  async function start(routes: readonly Route[]): Promise<void> {
    const own = prepare(routes);
    budgetOf(own);
    await evaluatePrefix(own.prefix, true);
  }

  /** Hands the mass of a node (as a logarithm) down to the candidates below it. */
  async function spread(node: AnswerNode, next: NextToken, logMass: number, result: number[]): Promise<void> {
    const total = childMass(node, next);
    for (const [token, child] of node.children) {
      const mass = logMass + (next.logits.get(token) ?? -Infinity) - total;
      const { tokens, node: below } = descend(child);
      if (below.candidates.length === 1 || Math.exp(mass) < NEGLIGIBLE) {
        for (const candidate of below.candidates) result[candidate] = mass - Math.log(below.candidates.length);
        continue;
      }
      const here = text.evaluated().length;
      const deeper = await text.evaluateNext([token, ...tokens], [...below.children.keys()]);
      await spread(below, deeper, mass, result);
      await text.truncate(here);
    }
  }

  // One sequence, one evaluation at a time.
  let last: Promise<unknown> = Promise.resolve();
  const forget = () => {
    evaluated = [];
  };
  if (ofRun) last = start(ofRun).catch(forget);
  return {
    model,
    rank(routes, conversation) {
      const result = last.then(() => rank(routes, conversation));
      last = result.catch(forget);
      return result;
    },
    dispose: () => text.dispose(),
  };
}

/** What depends on the routes alone. */
interface Prepared {
  readonly routes: readonly Route[];
  readonly prefix: readonly number[];
  /** Tokens after the user message: the chat's tail, and what all answers begin with. */
  readonly tail: readonly number[];
  readonly answers: AnswerNode;
  readonly longestAnswer: number;
}

/** Logarithm of the (unnormalised) mass on the children of a node. */
function childMass(node: AnswerNode, next: NextToken): number {
  return logSumExp([...node.children.keys()].map((token) => next.logits.get(token) ?? -Infinity));
}

function commonStart(a: readonly number[], b: readonly number[]): readonly number[] {
  const parting = a.findIndex((token, index) => b[index] !== token);
  return parting === -1 ? a : a.slice(0, parting);
}

function startsWith(tokens: readonly number[], start: readonly number[]): boolean {
  return start.length <= tokens.length && start.every((token, index) => tokens[index] === token);
}
