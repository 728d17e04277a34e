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

/**
 * The text of a top-level number as it was written, which JSON.parse may round; undefined if the key's value, the last one
 * if it is repeated, is no number. For text that JSON.parse accepts; scans it flat, for it may be nested however deep.
 */
export async function numberAsWritten(text: string, key: string): Promise<string | undefined> {
  const { createScanner } = await import("jsonc-parser");
  const scanner = createScanner(text, true);
  let [depth, isKey, wanted] = [0, true, false];
  let written: string | undefined;
  for (;;) {
    scanner.scan();
    // What a token is shows in its first character.
    const first = text[scanner.getTokenOffset()];
    if (first === undefined) return written;
    if (first === "}" || first === "]") depth--;
    else if (first === "[" || first === "{") depth++;
    // The outer braces' own keys and values; of a nested value, the bracket that ends it.
    if (depth === 1) {
      if (first === ",") isKey = true;
      else if (first === ":") isKey = false;
      else if (isKey) wanted = scanner.getTokenValue() === key;
      else if (wanted) written = /[-\d]/.test(first) ? scanner.getTokenValue() : undefined;
    }
  }
}
