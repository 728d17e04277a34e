import { ArchRouteError } from "../core/errors.js";

/** JSON text → value. Throws E_JSON whose message holds line and column (from 1), lines counted from `firstLine`. */
export async function parseJson(text: string, firstLine = 1): Promise<unknown> {
  try {
    return JSON.parse(text);
  } catch (cause) {
    // V8's message gives the position for some mistakes only, hence a second reader, loaded when there is one to find.
    const offset = await errorOffset(text);
    const before = text.slice(0, offset).split("\n");
    const line = firstLine + before.length - 1;
    const what = offset >= text.trimEnd().length ? "it ends too early" : "not valid JSON";
    throw new ArchRouteError("E_JSON", `${what} (line ${line}, column ${(before.at(-1) ?? "").length + 1})`, { cause });
  }
}

async function errorOffset(text: string): Promise<number> {
  const { visit } = await import("jsonc-parser");
  let first = text.length;
  const onError = (_code: number, offset: number) => {
    first = Math.min(first, offset);
  };
  try {
    visit(text, { onError }, { disallowComments: true });
  } catch {
    // Nested too deeply for a recursive reader: the end of the text is all we can name.
  }
  return first;
}

/** The text of a top-level number as it was written, which JSON.parse may round; the last one if the key is repeated. */
export async function numberAsWritten(text: string, key: string): Promise<string | undefined> {
  const { visit } = await import("jsonc-parser");
  let depth = 0;
  let current: string | undefined;
  let written: string | undefined;
  const open = () => {
    depth++;
  };
  const close = () => {
    depth--;
  };
  visit(text, {
    onObjectBegin: open,
    onObjectEnd: close,
    onArrayBegin: open,
    onArrayEnd: close,
    onObjectProperty: (name) => {
      if (depth === 1) current = name;
    },
    onLiteralValue: (value, offset, length) => {
      if (depth === 1 && current === key && typeof value === "number") written = text.slice(offset, offset + length);
    },
  });
  return written;
}
