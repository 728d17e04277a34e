/** A word that carries meaning. */
export interface ContentWord {
  /** In lower case. */
  readonly text: string;
  /** Something that is done rather than a thing. */
  readonly isVerb: boolean;
}

const words = (list: string) => new Set(list.split(" "));

const functionWords = words(
  "a an the and or of to in on at by for from with about as into between across over under this that these those it its is are be " +
    "was were do does can could should would will may might must i you he she we they me my your their our what which who where " +
    "when why how if so such than then also very more most some any all each every other another e g etc i.e eg via per not no",
);

// They stand in descriptions of anything, and so tell nothing apart.
const emptyWords = words(
  "thing things stuff general various different several many task tasks question questions request requests topic topics query " +
    "queries prompt prompts user users assistance assistant help support everything anything something misc miscellaneous " +
    "related relevant based handle handles kind kinds type types item case cases way ways work works good useful appropriate " +
    "advice route category class label group intent need needs want wants like including include includes provided given people",
);

const verbs = words(
  "answer answers ask asks assist assists write writes fix fixes make makes create creates generate generates explain explains improve improves " +
    "optimize optimizes optimise find finds solve solves do does give gives get gets use uses show shows tell tells check checks " +
    "change changes update updates add adds build builds run runs analyze analyzes analyse review reviews suggest suggests edit " +
    "edits convert converts summarize summarizes summarise translate translates describe describes discuss discusses provide " +
    "provides perform performs process processes manage manages identify identifies understand understands respond responds " +
    "draft drafts rewrite rewrites think thinks reason reasons plan plans compare compares debug debugs refactor refactors",
);

/** The words of an English text that carry meaning, in their order. */
export function contentWords(text: string): ContentWord[] {
  const found = text.toLowerCase().match(/[\p{L}\p{N}]+(?:['’+#.-][\p{L}\p{N}]+)*[+#]*/gu) ?? [];
  return found
    .filter((word) => !functionWords.has(word) && !emptyWords.has(word))
    .map((word) => ({ text: word, isVerb: verbs.has(word) || /^[a-z]{3,}ing$/.test(word) }));
}

// Stand-ins for a name: route1, cat_b, x.
const placeholder =
  /^(?:r|rt|route|cat|category|class|label|group|type|intent|topic|test|foo|bar|baz|tmp|new|my)?\d*$|^.$/;

const emptyNames = words(
  "misc miscellaneous general default stuff thing things everything anything question questions task tasks request requests",
);

/** The words of a route's name that say something, in lower case. */
export function nameWords(name: string): string[] {
  return name
    .replace(/(?<=[a-z0-9])(?=[A-Z])/g, " ")
    .split(/[\s_\-/.:]+/)
    .map((word) => word.toLowerCase())
    .filter((word) => !placeholder.test(word) && !functionWords.has(word) && !emptyNames.has(word));
}

/** Whether two words in lower case are forms of one: `test`, `tests` and `testing`. */
export function sameWords(a: string, b: string): boolean {
  return stem(a) === stem(b);
}

function stem(word: string): string {
  if (word.length <= 3) return word;
  return word.replace(/(?:ations?|ings?|ies|es|ed|s|e|y)$/, "");
}
