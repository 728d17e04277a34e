/** What is left of an answer. */
export interface TextAnswer {
  /** Its bytes, a character each. */
  readonly bytes: string;
  /** The tokens that the server's tokenizer makes of it, as bytes; undefined where it does not tell. */
  readonly tokens: readonly string[] | undefined;
}

/**
 * Sorts answers by the token that each goes on with: its own next one, or, where that is not known, the longest one listed
 * that it begins with. That is nearly always the same, as tokens never reach over the borders at which text is split first.
 * Returned are indices of answers, and those of answers whose token is not listed.
 */
export function branch(
  answers: readonly TextAnswer[],
  listed: ReadonlyMap<string, number>,
): { readonly branches: ReadonlyMap<string, readonly number[]>; readonly missing: readonly number[] } {
  const branches = new Map<string, number[]>();
  const missing: number[] = [];
  for (const [index, answer] of answers.entries()) {
    const token = nextToken(answer, listed);
    const members = token === undefined ? missing : (branches.get(token) ?? []);
    members.push(index);
    if (token !== undefined) branches.set(token, members);
  }
  return { branches, missing };
}

function nextToken({ bytes, tokens }: TextAnswer, listed: ReadonlyMap<string, number>): string | undefined {
  const own = tokens?.[0];
  if (own !== undefined) return listed.has(own) ? own : undefined;
  let length = bytes.length;
  while (length > 0 && !listed.has(bytes.slice(0, length))) length--;
  return length === 0 ? undefined : bytes.slice(0, length);
}

/** How many bytes all answers begin with in whole tokens of their own, leaving at least a token of each; 0 if those are not known. */
export function commonTokens(answers: readonly TextAnswer[]): number {
  const [first, ...others] = answers.map(({ tokens }) => tokens ?? []);
  let length = 0;
  for (const [index, token] of (first ?? []).slice(0, -1).entries()) {
    if (!others.every((tokens) => tokens[index] === token && tokens.length > index + 1)) break;
    length += token.length;
  }
  return length;
}

/** What is left after so many bytes, which end with a token. */
export function dropBytes({ bytes, tokens }: TextAnswer, length: number): TextAnswer {
  let [skipped, count] = [0, 0];
  while (tokens !== undefined && skipped < length) skipped += (tokens[count++] as string).length;
  return { bytes: bytes.slice(length), tokens: tokens?.slice(count) };
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
