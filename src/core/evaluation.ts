import type { Decision } from "./decision.js";
import { OTHER } from "./route.js";
import { type Interval, wilsonInterval } from "./significance.js";

/** A labelled turn and what was decided on it. */
export interface ScoredTurn {
  /** The name of a route, or `other`. */
  readonly label: string;
  readonly decision: Decision;
}

/** How many of how many are right. */
export interface Share {
  readonly count: number;
  readonly right: number;
  /** right / count, 0 to 1. */
  readonly accuracy: number;
}

/** What is known of one label. */
export interface RouteFigures {
  readonly route: string;
  /** Turns with this label. */
  readonly support: number;
  /** Turns decided so. */
  readonly predicted: number;
  /** 0 to 1; undefined: it was never predicted. */
  readonly precision: number | undefined;
  /** 0 to 1; undefined: no turn has this label. */
  readonly recall: number | undefined;
  /** 0 to 1; undefined: neither. */
  readonly f1: number | undefined;
}

/** Every label against every decision. */
export interface Confusion {
  /** The rows: all routes and `other`. */
  readonly labels: readonly string[];
  /** The columns: the same, then one for `unsure`. */
  readonly predictions: readonly string[];
  readonly counts: readonly (readonly number[])[];
}

/** The figures of one run. An unsure decision is never right: whoever abstains gains no accuracy. */
export interface Evaluation {
  /** Turns, spans and conversations as arXiv 2506.16655 counts them: a span is a run of turns with one label. */
  readonly turns: Share;
  readonly spans: Share;
  readonly conversations: Share;
  /** 95 % interval of the accuracy of turns (Wilson). */
  readonly interval: Interval;
  /** Mean F1 of the labels that occur. */
  readonly macroF1: number;
  readonly routes: readonly RouteFigures[];
  readonly confusion: Confusion;
  /** Turns labelled `other`; those of them that were routed; turns of a route of which the model said `other`. */
  readonly other: { readonly labelled: number; readonly routed: number; readonly refused: number };
  /** Turns below a threshold, and those of them whose best guess was right. */
  readonly unsure: { readonly count: number; readonly bestGuessRight: number };
  /** The turns that were not unsure; accuracy 0 if there are none. */
  readonly answered: Share;
}

/** The heading of the column for decisions below a threshold; a route may have the same name. */
export const UNSURE = "unsure";

/** Whether a turn was decided as its label says. */
export function isRight({ label, decision }: ScoredTurn): boolean {
  return decision.outcome !== "unsure" && decision.route === label;
}

/** Whether the best guess is the label, whatever the thresholds said. */
export function guessedRight({ label, decision }: ScoredTurn): boolean {
  return decision.ranking[0]?.route === label;
}

/** Scored conversations (one or more turns each, at least one in all) → figures. `names`: all routes, in the order to show. */
export function evaluate(conversations: readonly (readonly ScoredTurn[])[], names: readonly string[]): Evaluation {
  const turns = conversations.flat();
  const spans = conversations.flatMap(spansOf);
  const confusion = countConfusion(turns, names);
  const routes = confusion.labels.map((_, index) => figuresOf(confusion, index));
  const isUnsure = ({ decision }: ScoredTurn) => decision.outcome === "unsure";
  const scores = routes.filter(({ support }) => support > 0).map(({ f1 }) => f1 ?? 0);
  const ofTurns = share(turns, isRight);
  return {
    turns: ofTurns,
    spans: share(spans, (span) => span.every(isRight)),
    conversations: share(conversations, (conversation) => conversation.every(isRight)),
    interval: wilsonInterval(ofTurns.right, ofTurns.count),
    macroF1: scores.reduce((sum, score) => sum + score, 0) / scores.length,
    routes,
    confusion,
    other: {
      labelled: turns.filter(({ label }) => label === OTHER).length,
      routed: turns.filter(({ label, decision }) => label === OTHER && decision.outcome === "matched").length,
      refused: turns.filter(({ label, decision }) => label !== OTHER && decision.outcome === "other").length,
    },
    unsure: {
      count: turns.filter(isUnsure).length,
      bestGuessRight: turns.filter((turn) => isUnsure(turn) && guessedRight(turn)).length,
    },
    answered: share(
      turns.filter((turn) => !isUnsure(turn)),
      isRight,
    ),
  };
}

/** How many items pass; accuracy 0 for none. */
export function share<Item>(items: readonly Item[], passes: (item: Item) => boolean): Share {
  const right = items.filter(passes).length;
  return { count: items.length, right, accuracy: items.length === 0 ? 0 : right / items.length };
}

function spansOf(conversation: readonly ScoredTurn[]): ScoredTurn[][] {
  const spans: ScoredTurn[][] = [];
  for (const turn of conversation) {
    const last = spans.at(-1);
    if (last?.[0]?.label === turn.label) last.push(turn);
    else spans.push([turn]);
  }
  return spans;
}

function countConfusion(turns: readonly ScoredTurn[], names: readonly string[]): Confusion {
  const labels = [...names, OTHER];
  const place = new Map(labels.map((label, index) => [label, index]));
  const counts = labels.map(() => new Array<number>(labels.length + 1).fill(0));
  for (const { label, decision } of turns) {
    const row = counts[place.get(label) ?? -1];
    const column = decision.outcome === "unsure" ? labels.length : (place.get(decision.route) ?? -1);
    if (row?.[column] !== undefined) row[column]++;
  }
  return { labels, predictions: [...labels, UNSURE], counts };
}

function figuresOf({ labels, counts }: Confusion, index: number): RouteFigures {
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const right = counts[index]?.[index] ?? 0;
  const support = sum(counts[index] ?? []);
  const predicted = sum(counts.map((row) => row[index] ?? 0));
  const ratio = (part: number, whole: number) => (whole === 0 ? undefined : part / whole);
  return {
    route: labels[index] ?? OTHER,
    support,
    predicted,
    precision: ratio(right, predicted),
    recall: ratio(right, support),
    f1: ratio(2 * right, support + predicted),
  };
}

/** Two sides on the same turns. */
export interface Contest {
  /** Turns that only the one, or only the other side got right. */
  readonly onlyFirst: number;
  readonly onlySecond: number;
}

/** The same turns scored twice, in the same order → where only one side is right. */
export function contest(first: readonly ScoredTurn[], second: readonly ScoredTurn[]): Contest {
  const sides = first.map((turn, index) => {
    const other = second[index];
    return [isRight(turn), other !== undefined && isRight(other)] as const;
  });
  return {
    onlyFirst: sides.filter(([a, b]) => a && !b).length,
    onlySecond: sides.filter(([a, b]) => !a && b).length,
  };
}
