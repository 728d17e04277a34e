import { describe, expect, it } from "vitest";
import { type AnswerNode, answerTrie, descend } from "../../src/core/answer.js";

/** A node as nested objects, candidates of leaves at the ends. */
type Shape = readonly number[] | { readonly [token: number]: Shape };
const shape = (node: AnswerNode): Shape =>
  node.children.size === 0
    ? node.candidates
    : Object.fromEntries([...node.children].map(([token, child]) => [token, shape(child)]));

describe("answerTrie", () => {
  it.each<[string, number[][], Shape]>([
    ["one answer", [[1, 2]], { 1: { 2: [0] } }],
    ["answers that part at once", [[1], [2], [3]], { 1: [0], 2: [1], 3: [2] }],
    [
      "a shared beginning",
      [
        [1, 2, 3],
        [1, 2, 4],
      ],
      { 1: { 2: { 3: [0], 4: [1] } } },
    ],
    [
      "lengths that differ",
      [
        [1, 9],
        [1, 2, 3, 9],
        [1, 2, 9],
      ],
      { 1: { 9: [0], 2: { 3: { 9: [1] }, 9: [2] } } },
    ],
    // {"route": "bug"} and {"route": "bug_fixing"}: the closing quote tells them apart.
    [
      "bug and bug_fixing",
      [
        [5, 7, 34, 92],
        [5, 7, 95, 8, 34, 92],
      ],
      { 5: { 7: { 34: { 92: [0] }, 95: { 8: { 34: { 92: [1] } } } } } },
    ],
    [
      "equal ends",
      [
        [1, 9],
        [2, 9],
      ],
      { 1: { 9: [0] }, 2: { 9: [1] } },
    ],
    ["no answers", [], []],
  ])("grows over %s", (_, answers, tree) => {
    expect(shape(answerTrie(answers))).toEqual(tree);
  });

  it("knows at every node which candidates can still be reached", () => {
    const root = answerTrie([[1, 2, 3], [1, 4], [5], [1, 2, 6]]);
    const one = root.children.get(1);
    expect(root.candidates).toEqual([0, 1, 2, 3]);
    expect(one?.candidates).toEqual([0, 1, 3]);
    expect(one?.children.get(2)?.candidates).toEqual([0, 3]);
    expect(one?.children.get(4)?.candidates).toEqual([1]);
  });

  it.each([
    [
      "are equal",
      [
        [1, 2],
        [1, 2],
      ],
    ],
    ["are equal far apart", [[1, 2], [3], [4, 5], [1, 2]]],
    [
      "begin another",
      [
        [1, 2],
        [1, 2, 3],
      ],
    ],
    [
      "are begun by another",
      [
        [1, 2, 3],
        [1, 2],
      ],
    ],
    ["are empty beside another", [[], [1]]],
    ["are all empty", [[], []]],
  ])("refuses answers that %s", (_, answers) => {
    expect(() => answerTrie(answers)).toThrow("cannot be told apart");
  });

  it("leads to every answer of a large set by its own tokens", () => {
    const answers = Array.from({ length: 1000 }, (_, index) => [7, ...[...String(index)].map(Number), 99]);
    const root = answerTrie(answers);
    answers.forEach((answer, index) => {
      let node: AnswerNode | undefined = root;
      for (const token of answer) node = node?.children.get(token);
      expect(node).toEqual({ candidates: [index], children: new Map() });
    });
  });
});

describe("descend", () => {
  it.each([
    [
      "to where answers part",
      [
        [1, 2, 3],
        [1, 2, 4],
      ],
      [1, 2],
      [0, 1],
    ],
    ["nowhere if they part at once", [[1], [2]], [], [0, 1]],
    ["nowhere if there is but one answer", [[1, 2, 3]], [], [0]],
    [
      "to the first parting only",
      [
        [1, 2, 3],
        [1, 2, 4],
        [1, 5],
      ],
      [1],
      [0, 1, 2],
    ],
  ])("goes %s", (_, answers, tokens, candidates) => {
    const found = descend(answerTrie(answers));
    expect(found.tokens).toEqual(tokens);
    expect(found.node.candidates).toEqual(candidates);
  });

  it("goes on from a node within", () => {
    const child = answerTrie([[1, 8, 8, 2], [1, 8, 8, 3], [4]]).children.get(1);
    const found = child && descend(child);
    expect(found?.tokens).toEqual([8, 8]);
    expect([...(found?.node.children.keys() ?? [])]).toEqual([2, 3]);
  });
});
