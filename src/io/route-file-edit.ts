import { randomUUID } from "node:crypto";
import { chmod, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { isMap, isScalar, isSeq, parseDocument, type Scalar, stringify, type YAMLMap } from "yaml";
import { ArchRouteError } from "../core/errors.js";
import type { Route } from "../core/route.js";
import { bundledRoutes } from "./bundled.js";
import { parseConfig, parseRouteSet } from "./config-file.js";
import { readConfigText } from "./route-set-file.js";

/** A file that holds route descriptions, as it was when it was read. */
export interface RouteFile {
  readonly path: string;
  /** Undefined: there is no such file yet, and it may not be written over if one comes. */
  readonly text: string | undefined;
}

const PROJECT_FILE = ".arch-route.yaml";

/**
 * Where an edited description is to be written: the route set that was named (`reference`), else the file at `origin` or
 * the set which that names. A shipped set is never changed: its routes go into a new project file in `cwd`. Throws E_CONFIG.
 */
export async function locateRouteFile(
  { reference, origin }: { readonly reference: string | undefined; readonly origin: string },
  cwd: string,
): Promise<RouteFile> {
  if (reference !== undefined) return await fileOf(reference, cwd, cwd);
  if (origin === "default") return { path: resolve(cwd, PROJECT_FILE), text: undefined };
  const text = await readConfigText(origin, "config");
  const { routes } = parseConfig(origin, text);
  return typeof routes === "string" ? await fileOf(routes, dirname(origin), cwd) : { path: origin, text };
}

async function fileOf(reference: string, folder: string, cwd: string): Promise<RouteFile> {
  if (bundledRoutes(reference)) return { path: resolve(cwd, PROJECT_FILE), text: undefined };
  const path = resolve(folder, reference);
  return { path, text: await readConfigText(path, "routes") };
}

/** Writes the routes' descriptions into their file and leaves all else as it is, comments too. Throws E_OUTPUT, E_CONFIG. */
export async function saveDescriptions(file: RouteFile, routes: readonly Route[]): Promise<RouteFile> {
  const { path } = file;
  if (file.text === undefined) {
    const text = stringify({ routes }, { lineWidth: 0 });
    await writeFile(path, text, { flag: "wx" }).catch((cause: NodeJS.ErrnoException) => {
      const exists = cause.code === "EEXIST";
      throw unsaved(
        path,
        exists ? "it is there already" : cause.message,
        exists ? "move it, or name your routes with --routes" : undefined,
      );
    });
    return { path, text };
  }
  const text = editDescriptions(path, file.text, routes);
  const now = await readFile(path, "utf8").catch(() => undefined);
  if (now !== file.text)
    throw unsaved(path, "somebody else changed it in the meantime", "copy your texts, and start again");
  await replace(path, text);
  return { path, text };
}

/** The text of a YAML or JSON file with other descriptions, by the routes' names. Throws E_CONFIG if they have no place in it. */
export function editDescriptions(path: string, text: string, routes: readonly Route[]): string {
  const wanted = new Map(routes.map(({ name, description }) => [name, description]));
  const mark = text.startsWith("\ufeff") ? "\ufeff" : "";
  const source = text.slice(mark.length);
  let edited = source;
  // From the end, so that the places before stay where they are.
  for (const item of routeNodes(source).toReversed()) {
    const node = item.get("description", true);
    const value = wanted.get(String(item.get("name")));
    if (!isScalar(node) || !node.range || value === undefined || node.value === value) continue;
    const [start, end] = node.range;
    edited = edited.slice(0, start) + scalarSource(value, node, item.flow === true) + edited.slice(end);
  }
  verify(path, edited, wanted);
  return mark + edited;
}

function routeNodes(source: string): YAMLMap[] {
  const document = parseDocument(source);
  const list = isSeq(document.contents) ? document.contents : document.get("routes", true);
  return isSeq(list) ? list.items.filter((item) => isMap(item)) : [];
}

/** Text as it may stand in the place of a node. Quotes of JSON are quotes of YAML too. */
function scalarSource(value: string, { type }: Scalar, inFlow: boolean): string {
  if (type === "PLAIN" && !inFlow && !value.includes("\n")) return stringify(value, { lineWidth: 0 }).trimEnd();
  const isBlock = type === "BLOCK_FOLDED" || type === "BLOCK_LITERAL";
  return `${JSON.stringify(value)}${isBlock ? "\n" : ""}`;
}

/** Reads the new text as the program will: aliases and merged keys have no place of their own. */
function verify(path: string, text: string, wanted: ReadonlyMap<string, string>): void {
  const missed = readRoutes(path, text).find(
    ({ name, description }) => description !== (wanted.get(name) ?? description),
  );
  if (missed === undefined) return;
  throw new ArchRouteError(
    "E_CONFIG",
    `${path}: the description of ${missed.name} cannot be edited: it is not written out there`,
    {
      hint: "write it out, without alias or merge, and start again",
    },
  );
}

function readRoutes(path: string, text: string): readonly Route[] {
  const isList = isSeq(parseDocument(text).contents);
  const isConfig = /(?:^|[/\\])(?:\.arch-route|config)\.(?:ya?ml|json)$/.test(path);
  if (isList || !isConfig) return parseRouteSet(path, text).routes;
  const { routes } = parseConfig(path, text);
  return Array.isArray(routes) ? routes : [];
}

/** Writes beside the file and renames, so that there is always a whole one; a link stays a link. */
async function replace(path: string, text: string): Promise<void> {
  const target = await realpath(path);
  const temporary = `${target}.${randomUUID()}.tmp`;
  try {
    const { mode } = await stat(target);
    await writeFile(temporary, text, { flag: "wx", mode: 0o600 });
    await chmod(temporary, mode & 0o777);
    await rename(temporary, target);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw unsaved(path, (cause as Error).message, undefined, cause);
  }
}

function unsaved(path: string, why: string, hint?: string, cause?: unknown): ArchRouteError {
  return new ArchRouteError("E_OUTPUT", `${path}: not saved: ${why}`, { ...(hint !== undefined && { hint }), cause });
}
