import type { Conversation } from "../core/conversation.js";
import type { Turn } from "../core/labels.js";
import type { Route } from "../core/route.js";

/** What `tune` shows and edits; a value, changed by `reduce` alone. */
export interface TuneState {
  readonly routes: readonly Route[];
  /** Index of the chosen route. */
  readonly chosen: number;
  readonly conversation: Conversation;
  /** The misses to step through, the one that is shown, and what it should be. */
  readonly misses: readonly Turn[];
  readonly miss: number;
  /** What the keys go to: commands, the chosen description, or the last message. */
  readonly mode: "browse" | "description" | "prompt";
  /** Place of the cursor in the edited text, in UTF-16 units. */
  readonly cursor: number;
  /** Earlier and undone sets of descriptions, the latest last. */
  readonly undone: readonly (readonly Route[])[];
  readonly past: readonly (readonly Route[])[];
  /** The descriptions as they are in the file. */
  readonly saved: readonly Route[];
  /** The last thing to tell the user; gone with the next key. */
  readonly said: string;
  /** The user was warned that leaving loses edits. */
  readonly warned: boolean;
}

/** What the keys ask for. */
export type TuneAction =
  | { readonly type: "choose" | "step"; readonly by: 1 | -1 }
  | { readonly type: "edit"; readonly mode: TuneState["mode"] }
  | { readonly type: "insert"; readonly text: string }
  | { readonly type: "move"; readonly by: number }
  | { readonly type: "say"; readonly text: string }
  | { readonly type: "delete" | "undo" | "redo" | "warn" }
  | { readonly type: "saved"; readonly routes: readonly Route[]; readonly text: string };

/** A state that is read and changed outside of React too: a key must never meet the state of the key before. */
export interface TuneStore {
  get(): TuneState;
  dispatch(action: TuneAction): void;
  /** Calls back after each change; returns what ends it. */
  subscribe(listener: () => void): () => void;
}

/** A store around a first state. */
export function createStore(first: TuneState): TuneStore {
  let state = first;
  const listeners = new Set<() => void>();
  return {
    get: () => state,
    dispatch(action) {
      state = reduce(state, action);
      for (const listener of listeners) listener();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/** The state to start with. */
export function startTuning(routes: readonly Route[], misses: readonly Turn[]): TuneState {
  const conversation = misses[0]?.conversation ?? [{ role: "user", content: "" }];
  const nothing = { mode: "browse", cursor: 0, undone: [], past: [], said: "", warned: false } as const;
  return { routes, chosen: 0, conversation, misses, miss: 0, saved: routes, ...nothing };
}

/** The text that is edited: the last message in `prompt`, else the chosen description. */
export function editedText({ mode, routes, chosen, conversation }: TuneState): string {
  return (mode === "prompt" ? conversation.at(-1)?.content : routes[chosen]?.description) ?? "";
}

/** Whether there are descriptions that the file does not have. */
export function isUnsaved({ routes, saved }: TuneState): boolean {
  return routes.some(({ description }, index) => description !== saved[index]?.description);
}

/** State and action → the next state. */
export function reduce(before: TuneState, action: TuneAction): TuneState {
  const state = { ...before, said: "", warned: false };
  switch (action.type) {
    case "choose":
      return { ...state, chosen: wrapped(state.chosen + action.by, state.routes.length) };
    case "step":
      return showMiss(state, wrapped(state.miss + action.by, state.misses.length));
    case "edit":
      return startEdit(state, action.mode);
    case "insert":
      return splice(state, state.cursor, state.cursor, action.text);
    case "delete":
      return splice(state, state.cursor - lastLength(editedText(state), state.cursor), state.cursor, "");
    case "move":
      return { ...state, cursor: Math.min(editedText(state).length, Math.max(0, state.cursor + action.by)) };
    case "undo":
      return swap(state, "past", "undone");
    case "redo":
      return swap(state, "undone", "past");
    case "saved":
      return { ...state, saved: action.routes, said: action.text };
    case "say":
      return { ...state, said: action.text };
    case "warn":
      return { ...state, said: "not saved: s saves, q once more leaves without", warned: true };
  }
}

/** One stay in a description is one step for undo. */
function startEdit(state: TuneState, mode: TuneState["mode"]): TuneState {
  const next = { ...state, mode };
  const history = mode === "description" ? { past: [...state.past, state.routes], undone: [] } : {};
  return { ...next, ...history, cursor: editedText(next).length };
}

function showMiss(state: TuneState, miss: number): TuneState {
  const { conversation } = state.misses[miss] ?? state;
  return { ...state, miss, conversation };
}

function splice(state: TuneState, from: number, to: number, text: string): TuneState {
  const old = editedText(state);
  const content = old.slice(0, from) + text + old.slice(to);
  const cursor = from + text.length;
  if (state.mode === "prompt") {
    return { ...state, cursor, conversation: [...state.conversation.slice(0, -1), { role: "user", content }] };
  }
  const routes = state.routes.map((route, index) =>
    index === state.chosen ? { ...route, description: content } : route,
  );
  return { ...state, cursor, routes };
}

/** Takes the latest other set of descriptions from one stack and puts the present one on the other. */
function swap(state: TuneState, from: "past" | "undone", to: "past" | "undone"): TuneState {
  const stack = [...state[from]];
  // A stay in a description without any change is no step.
  while (stack.length > 0 && stack.at(-1) === state.routes) stack.pop();
  const routes = stack.pop();
  if (routes === undefined) return { ...state, [from]: stack };
  return { ...state, routes, [from]: stack, [to]: [...state[to], state.routes] };
}

/** Units of the character that ends at `end`. */
function lastLength(text: string, end: number): number {
  return [...text.slice(Math.max(0, end - 2), end)].at(-1)?.length ?? 0;
}

function wrapped(index: number, length: number): number {
  return length === 0 ? 0 : (index + length) % length;
}
