import { closest, distance } from "fastest-levenshtein";
import * as v from "valibot";
import { type Document, isMap, isNode, isPair, isScalar, LineCounter, parseDocument } from "yaml";
import { ArchRouteError } from "../core/errors.js";
import { checkRoutes, type Route } from "../core/route.js";
import {
  configSchema,
  explain,
  isUnknownKey,
  type RouteSetSettings,
  route,
  routeSetSchema,
  type Settings,
  settings,
  target,
} from "./settings.js";

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
