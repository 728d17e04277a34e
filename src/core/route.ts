import { ArchRouteError } from "./errors.js";

/** What stands behind a route: a label for the model, and commands tried in order until one starts and succeeds. */
export interface Target {
  readonly model?: string;
  /** argv arrays; the prompt goes to the command's stdin. */
  readonly run?: readonly (readonly string[])[];
}

export interface Route extends Target {
  /** What is printed; unique in its set, never `other`. */
  readonly name: string;
  /** What the model reads. */
  readonly description: string;
}

/** Routes in the user's order, and what serves the conversations that fit none of them. */
export interface RouteSet {
  readonly routes: readonly Route[];
  readonly other?: Target;
  /** argv for routes that only name a model. */
  readonly command?: readonly string[];
}

/** The answer that no route fits. Reserved: no route may have this name. */
export const OTHER = "other";

/**
 * Checks what types cannot: at least one route, names unique and not `other`, nothing empty.
 * `at` is the JSON pointer of the list, for the error. Throws E_SHAPE.
 */
export function checkRoutes(routes: readonly Route[], at = "/routes"): void {
  if (routes.length === 0) throw new ArchRouteError("E_SHAPE", "there are no routes", { pointer: at });
  const seen = new Map<string, number>();
  routes.forEach(({ name, description }, index) => {
    const fail = (key: string, message: string) => {
      throw new ArchRouteError("E_SHAPE", message, { pointer: `${at}/${index}/${key}` });
    };
    if (name.trim() === "") fail("name", "the name is empty");
    if (/[\r\n]/.test(name)) fail("name", "the name has a line break");
    if (name === OTHER) fail("name", `the name "${OTHER}" is taken: it stands for "no route fits"`);
    if (seen.has(name)) fail("name", `the name "${name}" is used twice (also by route ${(seen.get(name) ?? 0) + 1})`);
    if (description.trim() === "") fail("description", `the description of "${name}" is empty`);
    seen.set(name, index);
  });
}

/** Whether a model reads the same of both: names and descriptions, in order. */
export function readAlike(some: readonly Route[], others: readonly Route[]): boolean {
  const isSame = ({ name, description }: Route, index: number) =>
    name === others[index]?.name && description === others[index]?.description;
  return some === others || (some.length === others.length && some.every(isSame));
}
