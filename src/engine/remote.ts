import type { CompletionServer, NextTokens } from "../core/completion.js";
import { type Conversation, trimConversation } from "../core/conversation.js";
import type { Engine, Scores } from "../core/engine.js";
import { ArchRouteError } from "../core/errors.js";
import { logSumExp } from "../core/probability.js";
import { answerText, buildPrompt, chatText, type Unicode } from "../core/prompt.js";
import { OTHER, type Route } from "../core/route.js";
import { branch, bytesOf, commonTokens, dropBytes, type TextAnswer, textOf } from "./text-answers.js";

export interface RemoteOptions {
  /** Tokens that the server's context holds, as far as is known; a server that holds less says so when it is asked. */
  readonly context: number;
  readonly unicode: Unicode;
}

/** Below this share of the mass nothing is worth another request. */
const NEGLIGIBLE = 1e-3;
/** How many tokens are asked for, and how many at most if answers are missing among them. */
const FEW = 20;
const MOST = 2000;
const WIDER = 10;
const MOST_SPLITS = 1000;
/** Longer text is cut before it is sent; what is still too long the server refuses, which costs it next to nothing. */
const CHARACTERS_PER_TOKEN = 5;
/** What is kept of a prompt that was refused. */
const SHORTER = 0.8;

/**
 * Arch-Router on a server: its trained prompt is sent as text, and the server's list of likely next tokens is read as the
 * first tokens of the answers. As in generative.ts, the answer is one of the candidates by construction.
 */
export function createRemoteEngine(server: CompletionServer, { context, unicode }: RemoteOptions): Engine {
  let width = FEW;
  // Names come again with every record; those of records with routes of their own are not kept for ever.
  const splits = new Map<string, Promise<TextAnswer>>();

  function split(answer: string): Promise<TextAnswer> {
    const known = splits.get(answer);
    if (known) return known;
    if (splits.size >= MOST_SPLITS) splits.clear();
    const asked = server.split(answer).then((tokens) => ({ bytes: bytesOf(answer), tokens }));
    splits.set(answer, asked);
    asked.catch(() => splits.delete(answer));
    return asked;
  }

  /** Lists of likely tokens grow until the answers missing from them do not matter, and stay as long as that was. */
  async function ask(text: string, answers: readonly TextAnswer[]): Promise<Step> {
    for (let count = width; ; count = Math.min(MOST, count * WIDER)) {
      const next = await server.next(text, count);
      const step = toStep(answers, next);
      // A list shorter than was asked for is all that the server gives.
      if (step.missing < NEGLIGIBLE || next.tokens.size < count / 2 || count === MOST) return step;
      width = Math.max(width, Math.min(MOST, count * WIDER));
    }
  }

  /** Hands the mass of a step (as a logarithm) down to the candidates; `answers` are what is left of theirs. */
  async function spread(text: string, step: Step, candidates: Candidates, logMass: number, result: number[]) {
    for (const { token, members, logProbability } of step.children) {
      const mass = logMass + logProbability - step.logTotal;
      const group = members.map((member) => candidates[member] as Candidates[number]);
      const left = group.map(({ index, answer }) => ({ index, answer: dropBytes(answer, token.length) }));
      // What all of them go on with needs no asking.
      const shared = commonTokens(left.map(({ answer }) => answer));
      const onward = textOf(token + (left[0]?.answer.bytes.slice(0, shared) ?? ""));
      // A request ends with a whole character: what parts within one shares its mass.
      if (group.length === 1 || Math.exp(mass) < NEGLIGIBLE || onward === undefined) {
        for (const { index } of group) result[index] = mass - Math.log(group.length);
        continue;
      }
      const rest = left.map(({ index, answer }) => ({ index, answer: dropBytes(answer, shared) }));
      const further = await ask(
        text + onward,
        rest.map(({ answer }) => answer),
      );
      await spread(text + onward, further, rest, mass, result);
    }
  }

  /** The first request of a conversation, shortened until the server takes it. */
  async function askFirst(routes: readonly Route[], whole: Conversation, { start, answers }: Answers) {
    const textFor = (part: Conversation) => chatText(buildPrompt(routes, part, unicode)) + start;
    const least = textFor([{ role: "user", content: "…" }]).length;
    for (let room = context * CHARACTERS_PER_TOKEN; ; ) {
      if (least > room) throw tooLong(least, context);
      const { conversation, trimmed } = trimConversation(whole, {
        tokens: room,
        count: (part) => textFor(part).length,
      });
      const text = textFor(conversation);
      try {
        return { text, trimmed, step: await ask(text, answers) };
      } catch (error) {
        if (!(error instanceof ArchRouteError) || error.code !== "E_TOO_LARGE") throw error;
        room = text.length * SHORTER;
      }
    }
  }

  return {
    model: server.model,
    async rank(routes, conversation): Promise<Scores> {
      const names = [...routes.map((route) => route.name), OTHER];
      const answers = readAnswers(await Promise.all(names.map((name) => split(answerText(name, unicode)))));
      const { text, trimmed, step } = await askFirst(routes, conversation, answers);
      const logProbabilities: number[] = new Array(routes.length + 1).fill(-Infinity);
      const candidates = answers.answers.map((answer, index) => ({ index, answer }));
      await spread(text, step, candidates, 0, logProbabilities);
      const { prompt, cached } = step.next;
      return { logProbabilities, inSet: step.listed, tokens: { prompt, cached }, trimmed };
    },
    dispose: () => server.close(),
  };
}

type Candidates = readonly { readonly index: number; readonly answer: TextAnswer }[];

/** What all answers begin with, as text, and what follows it in each. */
interface Answers {
  readonly start: string;
  readonly answers: readonly TextAnswer[];
}

/**
 * Cuts answers where their tokens part. Where those are not known, the cut is before the quote, which may share a token
 * with what follows it, unless that is a letter or a digit in all answers.
 */
function readAnswers(whole: readonly TextAnswer[]): Answers {
  const quoted = '{"route": "';
  const isPlain = whole.every(({ bytes }) => /^[\p{L}\p{N}]/u.test(textOf(bytes.slice(quoted.length)) ?? ""));
  const known = commonTokens(whole);
  const length = known > 0 ? known : isPlain ? quoted.length : quoted.length - 2;
  const start = textOf(whole[0]?.bytes.slice(0, length) ?? "");
  if (start !== undefined) return { start, answers: whole.map((answer) => dropBytes(answer, length)) };
  return readAnswers(whole.map(({ bytes }) => ({ bytes, tokens: undefined })));
}

/** What the next token says of the answers. */
interface Step {
  readonly next: NextTokens;
  /** Tokens that answers go on with; an answer that is not listed is a child of its own, as likely as it can at most be. */
  readonly children: readonly Child[];
  /** ln Σ of the children's probabilities. */
  readonly logTotal: number;
  /** Probability of the listed children. */
  readonly listed: number;
  /** Share of the children's mass that may be that of answers which are not listed. */
  readonly missing: number;
}

interface Child {
  readonly token: string;
  /** Indices of the answers that go this way. */
  readonly members: readonly number[];
  readonly logProbability: number;
}

function toStep(answers: readonly TextAnswer[], next: NextTokens): Step {
  const { branches, missing } = branch(answers, next.tokens);
  const listed: Child[] = [...branches].map(([token, members]) => {
    return { token, members, logProbability: next.tokens.get(token) ?? -Infinity };
  });
  const rest: Child[] = missing.map((member) => ({ token: "", members: [member], logProbability: next.least }));
  const children = [...listed, ...rest];
  const mass = (some: readonly Child[]) => logSumExp(some.map(({ logProbability }) => logProbability));
  const logTotal = mass(children);
  return { next, children, logTotal, listed: Math.exp(mass(listed)), missing: Math.exp(mass(rest) - logTotal) };
}

function tooLong(characters: number, context: number): ArchRouteError {
  return new ArchRouteError("E_TOO_LARGE", `the routes take ${characters} characters, too many for the server`, {
    hint: `shorten descriptions, or give the server a larger context than ${context} tokens`,
  });
}
