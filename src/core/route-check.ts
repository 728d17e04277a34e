import type { Route } from "./route.js";
import { contentWords, nameWords, sameWords } from "./words.js";

/** What can be wrong with the text of a route. */
type FaultKind = "vague" | "verbs" | "negation" | "name" | "overlap" | "no-general-route" | "too-long";

/** A fault, and the edit that would mend it. */
export interface Finding {
  /** The routes it is about, by name. */
  readonly routes: readonly string[];
  readonly kind: FaultKind;
  readonly message: string;
  readonly fix: string;
}

/** Characters of a description: about the 150 tokens of a route that the embedded model reads. */
const MOST_CHARACTERS = 600;
/** Things beyond the name that a description must mention. */
const FEW_WORDS = 2;
const MUCH_ALIKE = 0.6;

/** Finds faults in the texts of routes without asking a model. */
export function checkTexts(routes: readonly Route[]): Finding[] {
  return [...routes.flatMap(checkRoute), ...findTwins(routes), ...findMissingGeneral(routes)];
}

// Not "does not work", which is what such prompts say.
const exclusion =
  /\b(?:except|excluding|excludes?|other than|anything but|but not|nothing (?:about|to do)|(?:not|never) (?:about|for|related|including|concerning)|(?:is|are) not|no [a-z]+ (?:here|please))\b/i;

function checkRoute(route: Route): Finding[] {
  const { name, description } = route;
  const words = contentWords(description);
  const things = words.filter(({ isVerb }) => !isVerb);
  const isInName = ({ text }: { readonly text: string }) => nameWords(name).some((word) => sameWords(word, text));
  const fresh = things.filter((word) => !isInName(word));
  const finding = (kind: FaultKind, message: string, fix: string): Finding => ({ routes: [name], kind, message, fix });
  if (description.length > MOST_CHARACTERS) {
    const cut = description.slice(0, MOST_CHARACTERS);
    const end = Math.max(cut.lastIndexOf(". "), cut.lastIndexOf(", "));
    const kept = end > 0 ? `"…${cut.slice(0, end).slice(-40)}"` : "the first two lines";
    const message = `the description has ${description.length} characters; the embedded model reads about ${MOST_CHARACTERS}`;
    return [
      finding("too-long", message, `end it after ${kept}: a list of subjects, without examples and instructions`),
    ];
  }
  if (exclusion.test(description)) {
    const message = "the description says what does not belong here; a model matches its words all the same";
    return [
      finding("negation", message, `take the exclusion out of ${name}, and give what it names a route of its own`),
    ];
  }
  if (/[a-z]/i.test(name) && nameWords(name).length === 0) {
    const subject = things.map(({ text }) => text).slice(0, 2);
    const fix = `rename it after its subject${subject.length > 0 ? `: ${subject.join("_")}` : ""}`;
    return [finding("name", "the name says nothing, and the model reads it too", fix)];
  }
  if (!/[a-z]/i.test(description)) return [];
  if ((things.length > 0 || words.every(isInName)) && fresh.length < FEW_WORDS) {
    const subject = nameWords(name).join(" ");
    const fix = `name three or more things that its prompts mention: "${capitalised(subject)}: …, … and …"`;
    return [finding("vague", "the description hardly says more than the name", fix)];
  }
  if (things.length === 0) {
    const fix = `say what is worked on: "${capitalised(words.map(({ text }) => text).join(", "))} …" and then the things, as nouns`;
    return [finding("verbs", "the description has verbs only: any prompt asks to do something", fix)];
  }
  return [];
}

/** Each route is named with the first one before it that has its words; more of the same would only repeat that. */
function findTwins(routes: readonly Route[]): Finding[] {
  const texts = routes.map(({ description }) => [...new Set(contentWords(description).map(({ text }) => text))]);
  return routes.flatMap((route, index): Finding[] => {
    const mine = texts[index] ?? [];
    const twin = texts.slice(0, index).findIndex((theirs) => {
      const shared = sharedWords(mine, theirs).length;
      return shared > 0 && shared / (mine.length + theirs.length - shared) >= MUCH_ALIKE;
    });
    const before = routes[twin];
    if (before === undefined) return [];
    const shared = quoted(sharedWords(mine, texts[twin] ?? []).slice(0, 3));
    const fix = `make one route of them, or take ${shared} out of one and name what only it is about`;
    return [
      { routes: [before.name, route.name], kind: "overlap", message: "the descriptions have the same words", fix },
    ];
  });
}

function sharedWords(a: readonly string[], b: readonly string[]): string[] {
  return a.filter((word) => b.some((other) => sameWords(word, other)));
}

const general = /\b(general|generally|any|anything|all|other|everything|whole|overall|basics|theory|concepts)\b/i;

/** Half the set and three routes or more divide one subject among them: what is about it in general has no place to go. */
function findMissingGeneral(routes: readonly Route[]): Finding[] {
  if (routes.some(({ description }) => general.test(description))) return [];
  const texts = routes.map((route) => [
    ...nameWords(route.name),
    ...contentWords(route.description).flatMap(({ text, isVerb }) => (isVerb ? [] : [text])),
  ]);
  const holds = (word: string) => routes.filter((_, index) => texts[index]?.some((other) => sameWords(other, word)));
  const subjects = [...new Set(texts.flat())].map((word) => ({ word, among: holds(word) }));
  const most = subjects.sort((a, b) => b.among.length - a.among.length)[0];
  if (most === undefined || most.among.length < 3 || most.among.length <= routes.length / 2) return [];
  const { word, among } = most;
  // A route of that very name is the general one.
  if (routes.some(({ name }) => sameWords(name.toLowerCase(), word))) return [];
  return [
    {
      routes: among.map(({ name }) => name),
      kind: "no-general-route",
      message: `these are all about ${word}; a question about it that is none of them goes to other`,
      fix: `add {name: ${word}, description: General questions about ${word}, its concepts and best practices}`,
    },
  ];
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function quoted(words: readonly string[]): string {
  return words.map((word) => `"${word}"`).join(", ");
}
