/**
 * Sorts answers by the token that each goes on with: the longest one listed that it begins with. That is the token which a
 * tokenizer would take, as tokens never reach over the borders at which text is split first. `answers` and tokens are
 * bytes, a character each; returned are indices of answers, and those of answers for which no token is listed.
 */
export function branch(
  answers: readonly string[],
  tokens: ReadonlyMap<string, number>,
): { readonly branches: ReadonlyMap<string, readonly number[]>; readonly missing: readonly number[] } {
  const branches = new Map<string, number[]>();
  const missing: number[] = [];
  for (const [index, answer] of answers.entries()) {
    let length = answer.length;
    while (length > 0 && !tokens.has(answer.slice(0, length))) length--;
    if (length === 0) {
      missing.push(index);
      continue;
    }
    const token = answer.slice(0, length);
    const branchOf = branches.get(token);
    if (branchOf) branchOf.push(index);
    else branches.set(token, [index]);
  }
  return { branches, missing };
}

/** A text's bytes in UTF-8, a character each. */
export function bytesOf(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** The text of such bytes; undefined where they end within a character. */
export function textOf(bytes: string): string | undefined {
  const text = Buffer.from(bytes, "latin1").toString("utf8");
  return bytesOf(text) === bytes ? text : undefined;
}
