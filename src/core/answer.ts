/** A node of the token trie over the candidate answers. */
export interface AnswerNode {
  /** Indices of the candidates that can still be reached from here. */
  readonly candidates: readonly number[];
  readonly children: ReadonlyMap<number, AnswerNode>;
}

/**
 * Token trie over answers (token ids each). Throws if an answer equals another or begins one: such candidates cannot
 * be told apart.
 */
export function answerTrie(answers: readonly (readonly number[])[]): AnswerNode {
  return grow(
    answers,
    answers.map((_, index) => index),
    0,
  );
}

function grow(answers: readonly (readonly number[])[], candidates: readonly number[], depth: number): AnswerNode {
  const branches = new Map<number, number[]>();
  for (const candidate of candidates) {
    const token = answers[candidate]?.[depth];
    if (token === undefined) {
      if (candidates.length > 1) throw new Error(`answer ${candidate} cannot be told apart from another`);
      continue;
    }
    const branch = branches.get(token);
    if (branch) branch.push(candidate);
    else branches.set(token, [candidate]);
  }
  const children = [...branches].map(([token, branch]) => [token, grow(answers, branch, depth + 1)] as const);
  return { candidates, children: new Map(children) };
}

/** Follows a node down to where the answers part: the tokens on the way and the node there. */
export function descend(node: AnswerNode): { readonly tokens: readonly number[]; readonly node: AnswerNode } {
  const tokens: number[] = [];
  let here = node;
  while (here.candidates.length > 1 && here.children.size === 1) {
    for (const [token, child] of here.children) {
      tokens.push(token);
      here = child;
    }
  }
  return { tokens, node: here };
}
