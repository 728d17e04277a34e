import { type AnswerNode, answerTrie, descend } from "../core/answer.js";
import { type Conversation, trimConversation } from "../core/conversation.js";
import type { Engine, Scores } from "../core/engine.js";
import { ArchRouteError } from "../core/errors.js";
import { logSumExp } from "../core/probability.js";
import { answerText, buildPrompt, chat, type Unicode } from "../core/prompt.js";
import { OTHER, type Route } from "../core/route.js";

/** What the generative engine needs of a loaded language model with one sequence of evaluated tokens. */
export interface TextModel {
  /** Tokens that the sequence can hold. */
  readonly contextSize: number;
  /** Text → token ids; special tokens are recognised in it only if `special`. */
  tokenize(text: string, special: boolean): number[];
  /** Tokens evaluated so far. */
  position(): number;
  /** Forgets all evaluated tokens from `position` on. */
  truncate(position: number): Promise<void>;
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

/** Arch-Router: the model reads its trained prompt, and the answer is one of the candidates by construction. */
export function createGenerativeEngine(model: string, text: TextModel, unicode: Unicode): Engine {
  let prepared: Prepared | undefined;
  // The prefix at the start of the sequence; empty: nothing that can be built on.
  let evaluated: readonly number[] = [];

  function prepare(routes: readonly Route[]): Prepared {
    if (prepared?.routes === routes) return prepared;
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

  async function rank(routes: readonly Route[], whole: Conversation): Promise<Scores> {
    const { prefix, tail, answers, longestAnswer } = prepare(routes);
    const budget = text.contextSize - longestAnswer - 1;
    const count = (part: Conversation) => promptTokens(routes, part).length + tail.length;
    // A message of which all but the mark of the cut is gone.
    const least = count([{ role: "user", content: "…" }]);
    if (least > budget) {
      throw new ArchRouteError(
        "E_TOO_LARGE",
        `the routes need ${least + longestAnswer + 1} tokens, the context holds ${text.contextSize}`,
        {
          hint: "shorten descriptions or raise --context",
        },
      );
    }
    const { conversation, trimmed } = trimConversation(whole, { tokens: budget, count });
    const prompt = promptTokens(routes, conversation);
    const cached = await evaluatePrefix(prefix, prompt);
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
  async function evaluatePrefix(prefix: readonly number[], prompt: readonly number[]): Promise<number> {
    if (!startsWith(prompt, prefix)) throw new Error("the prompt does not begin with its own prefix");
    if (evaluated.length === prefix.length && startsWith(evaluated, prefix)) {
      await text.truncate(prefix.length);
      return prefix.length;
    }
    evaluated = [];
    await text.truncate(0);
    await text.evaluate(prefix);
    evaluated = prefix;
    return 0;
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
      const here = text.position();
      const deeper = await text.evaluateNext([token, ...tokens], [...below.children.keys()]);
      await spread(below, deeper, mass, result);
      await text.truncate(here);
    }
  }

  // One sequence, one evaluation at a time.
  let last: Promise<unknown> = Promise.resolve();
  return {
    model,
    rank(routes, conversation) {
      const result = last.then(() => rank(routes, conversation));
      last = result.catch(() => {
        evaluated = [];
      });
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
