import { closest, distance } from "fastest-levenshtein";
import * as v from "valibot";
import { type Document, isMap, isNode, isPair, isScalar, LineCounter, parseDocument } from "yaml";
import { commandFault, stdinModes } from "../core/dispatch.js";
import { ArchRouteError } from "../core/errors.js";
import { unicodeModes } from "../core/prompt.js";
import { checkRoutes, type Route } from "../core/route.js";

/** What `--gpu` takes. */
export const gpuModes = ["auto", "cuda", "metal", "vulkan", "off"] as const;

const filled = v.pipe(v.string(), v.nonEmpty("must not be empty"));
const argv = v.pipe(
  v.array(v.string()),
  v.minLength(1, "a command needs at least its name"),
  v.rawCheck(({ dataset, addIssue }) => {
    const fault = dataset.typed ? commandFault(dataset.value) : undefined;
    if (fault !== undefined) addIssue({ message: fault });
  }),
);
const target = {
  model: v.exactOptional(filled),
  run: v.exactOptional(v.pipe(v.array(argv), v.minLength(1, "there is no command in the list"))),
};
const route = { name: v.string(), description: v.string(), ...target };
const routeList = v.array(v.strictObject(route));
const number = (check: (value: number) => boolean, message: string) =>
  // Environment variables and flags are text.
  v.pipe(
    v.union([v.number(), v.pipe(v.string(), v.trim(), v.nonEmpty(), v.transform(Number))], message),
    v.check(check, message),
  );
const share = number((n) => n >= 0 && n <= 1, "must be a number from 0 to 1");
const whole = (least: number) =>
  number((n) => Number.isInteger(n) && n >= least, `must be a whole number from ${least} up`);

/** The settings, by the keys of the configuration file, with what each may hold. */
const settings = {
  model: v.exactOptional(filled),
  /** A list, or the name or path of a route set. */
  routes: v.exactOptional(v.lazy((value) => (typeof value === "string" ? filled : routeList))),
  other: v.exactOptional(v.strictObject(target)),
  command: v.exactOptional(argv),
  min_confidence: v.exactOptional(share),
  min_margin: v.exactOptional(share),
  history: v.exactOptional(
    v.union([v.picklist(["all", "last"]), whole(1)], "must be all, last or a whole number from 1 up"),
  ),
  unicode: v.exactOptional(v.picklist(unicodeModes)),
  gpu: v.exactOptional(v.picklist(gpuModes)),
  threads: v.exactOptional(whole(1)),
  context: v.exactOptional(whole(512)),
  stdin: v.exactOptional(v.picklist(stdinModes)),
  timeout: v.exactOptional(number((n) => n > 0, "must be a number of seconds above 0")),
  session_margin: v.exactOptional(share),
  warmup: v.exactOptional(argv),
};
const configSchema = v.strictObject(settings);
const routeSetSchema = v.strictObject({
  $schema: v.exactOptional(v.string()),
  routes: routeList,
  other: settings.other,
  command: settings.command,
});

export type Settings = v.InferOutput<typeof configSchema>;
export type RouteSetSettings = v.InferOutput<typeof routeSetSchema>;

/** The keys of the configuration file. */
export const settingKeys = Object.keys(settings) as (keyof Settings)[];

/**
 * Text of a configuration file (YAML or JSON) → its settings.
 * Throws E_CONFIG that names file, line, key and the nearest right key.
 */
export function parseConfig(file: string, text: string): Settings {
  const { value, fail } = parse(file, text);
  const result = v.safeParse(configSchema, value ?? {});
  if (!result.success) throw fail(mistakeOf(result.issues, settings));
  if (Array.isArray(result.output.routes)) check(result.output.routes, fail);
  return result.output;
}

/** Text of a route set (YAML or JSON; a bare list of routes will do) → its settings. Throws as parseConfig does. */
export function parseRouteSet(file: string, text: string): RouteSetSettings {
  const { value, fail } = parse(file, text);
  const bare = Array.isArray(value);
  // A bare list is checked as if it were wrapped; its places in the file have one key less.
  const failAt = bare ? (mistake: Mistake) => fail({ ...mistake, path: mistake.path.slice(1) }) : fail;
  const result = v.safeParse(routeSetSchema, bare ? { routes: value } : value);
  if (!result.success) throw failAt(mistakeOf(result.issues, routeSetSchema.entries));
  check(result.output.routes, failAt);
  return result.output;
}

/** One setting from text. `origin` (an environment variable, a flag) is named in the error. */
export function parseSetting<Key extends keyof Settings>(key: Key, text: string, origin: string): Settings[Key] {
  const result = v.safeParse(settings[key], text);
  if (result.success) return result.output as Settings[Key];
  const code = origin.startsWith("-") ? "E_USAGE" : "E_CONFIG";
  throw new ArchRouteError(code, `${origin} ${text}: ${explain(result.issues[0])}`);
}

type Path = readonly (string | number)[];

interface Mistake {
  readonly path: Path;
  readonly message: string;
  readonly hint?: string | undefined;
}

type Fail = (mistake: Mistake) => ArchRouteError;

function parse(file: string, text: string): { value: unknown; fail: Fail } {
  const lines = new LineCounter();
  const document = parseDocument(text.replace(/^\ufeff/, ""), { lineCounter: lines, prettyErrors: false });
  const fault = document.errors[0];
  if (fault) {
    const { line } = lines.linePos(fault.pos[0]);
    throw new ArchRouteError("E_CONFIG", `${file}:${line}: ${fault.message}`, { cause: fault });
  }
  const fail: Fail = ({ path, message, hint }) => {
    const { line } = lines.linePos(offsetOf(document, path));
    const where = [`${file}:${line || 1}`, keyPath(path)].filter((part) => part !== "").join(": ");
    return new ArchRouteError("E_CONFIG", `${where}: ${message}`, hint === undefined ? {} : { hint });
  };
  try {
    return { value: document.toJS({ maxAliasCount: 100 }), fail };
  } catch (cause) {
    throw new ArchRouteError("E_CONFIG", `${file}: ${(cause as Error).message}`, { cause });
  }
}

function check(routes: readonly Route[], fail: Fail): void {
  try {
    checkRoutes(routes);
  } catch (error) {
    if (!(error instanceof ArchRouteError)) throw error;
    const path = (error.pointer ?? "").split("/").slice(1);
    throw fail({ path: path.map((key) => (/^\d+$/.test(key) ? Number(key) : key)), message: error.message });
  }
}

function mistakeOf(issues: readonly [v.BaseIssue<unknown>, ...v.BaseIssue<unknown>[]], topLevel: object): Mistake {
  // A key with a typing mistake is missing as well: where it stands is what helps.
  const issue = issues.find(isUnknownKey) ?? issues[0];
  const path = (issue.path ?? []).map((item) => item.key as string | number);
  // A list passes for an object whose keys are numbers.
  if (Array.isArray(issue.path?.at(-1)?.input) && isUnknownKey(issue)) {
    return { path: path.slice(0, -1), message: "expected Object, got Array" };
  }
  return { path, message: explain(issue), hint: isUnknownKey(issue) ? suggest(path, topLevel) : undefined };
}

function isUnknownKey(issue: v.BaseIssue<unknown>): boolean {
  return issue.type === "strict_object" && issue.expected === "never";
}

function explain(issue: v.BaseIssue<unknown>): string {
  if (isUnknownKey(issue)) return "unknown key";
  if (issue.received === "undefined") return "missing";
  return issue.message.startsWith("Invalid") ? `expected ${issue.expected}, got ${issue.received}` : issue.message;
}

function suggest(path: Path, topLevel: object): string {
  const allowed = Object.keys(path.length === 1 ? topLevel : path[0] === "routes" ? route : target);
  const nearest = closest(String(path.at(-1)), allowed);
  return distance(String(path.at(-1)), nearest) <= 3 ? `did you mean ${nearest}?` : `use one of ${allowed.join(", ")}`;
}

function keyPath(path: Path): string {
  return path.map((key, index) => (typeof key === "number" ? `[${key}]` : index > 0 ? `.${key}` : key)).join("");
}

/** Where the value at `path` begins, at its key if it has one; a missing value: where what should hold it begins. */
function offsetOf(document: Document.Parsed, path: Path): number {
  for (let length = path.length; length > 0; length--) {
    const parent = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    const isOurs = (item: unknown) => isPair(item) && isScalar(item.key) && item.key.value === path[length - 1];
    const pair = isMap(parent) ? parent.items.find(isOurs) : undefined;
    const node = pair?.key ?? document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return 0;
}
