import type { TuneAction, TuneState } from "./tune-state.js";

/** The keys that have no character, as ink names them. */
export type Key = Readonly<
  Record<
    | "upArrow"
    | "downArrow"
    | "leftArrow"
    | "rightArrow"
    | "return"
    | "escape"
    | "tab"
    | "backspace"
    | "delete"
    | "ctrl"
    | "meta",
    boolean
  >
>;

/** What a key means in a mode; undefined: nothing. `input` may be several characters: text that was pasted. */
export function actionOf(mode: TuneState["mode"], input: string, key: Key): TuneAction | "save" | "quit" | undefined {
  if (key.ctrl && input === "c") return "quit";
  if (key.ctrl && input === "s") return "save";
  return mode === "browse" ? browse(input, key) : edit(input, key);
}

function browse(input: string, key: Key): TuneAction | "save" | "quit" | undefined {
  if (key.upArrow || input === "k") return { type: "choose", by: -1 };
  if (key.downArrow || input === "j") return { type: "choose", by: 1 };
  if (key.tab) return { type: "edit", mode: "prompt" };
  if (key.return || input === "e") return { type: "edit", mode: "description" };
  const keys: Readonly<Record<string, TuneAction | "save" | "quit">> = {
    n: { type: "step", by: 1 },
    p: { type: "step", by: -1 },
    u: { type: "undo" },
    r: { type: "redo" },
    s: "save",
    q: "quit",
  };
  return Object.hasOwn(keys, input) ? keys[input] : undefined;
}

function edit(input: string, key: Key): TuneAction | undefined {
  if (key.escape || key.return || key.tab) return { type: "edit", mode: "browse" };
  if (key.leftArrow) return { type: "move", by: -1 };
  if (key.rightArrow) return { type: "move", by: 1 };
  // Terminals send the one or the other for the key over Enter.
  if (key.backspace || key.delete) return { type: "delete" };
  if (key.ctrl && input === "a") return { type: "move", by: -Infinity };
  if (key.ctrl && input === "e") return { type: "move", by: Infinity };
  if (key.ctrl || key.meta || key.upArrow || key.downArrow || input === "") return undefined;
  // A description is one line.
  return { type: "insert", text: input.replace(/[\r\n\t]+/g, " ") };
}
