import { expect, it } from "vitest";
import { formatModels, type ModelRow } from "../../src/ui/format-models.js";

const row: ModelRow = {
  name: "arch-router:q4_k_m",
  path: "/models/a.gguf",
  store: "ollama",
  size: 986_000_000,
  licence: "katanemo-research",
  verified: "yes",
  used: true,
  problem: null,
};

it("shows models in columns, the one in use marked, and why", () => {
  const rows: ModelRow[] = [
    row,
    {
      ...row,
      name: "x.gguf",
      store: "path",
      size: null,
      licence: null,
      verified: "unknown",
      used: false,
      problem: "it is cut off",
    },
    { ...row, name: "mini", size: 25_291_776, store: "package", verified: "not yet", used: false },
  ];
  expect(formatModels(rows, "the best")).toMatchInlineSnapshot(`
    "* arch-router:q4_k_m  986 MB  ollama   katanemo-research  verified
        /models/a.gguf
      x.gguf              –       path     licence unknown    no sum to verify
        /models/a.gguf
        not usable: it is cut off
      mini                25 MB   package  katanemo-research  not verified yet
        /models/a.gguf

    * would be used: the best
    "
  `);
});

it("says when none can be used, and prints nothing that a terminal would obey", () => {
  const text = formatModels([{ ...row, name: "\x1b[2Jx", path: "/a\nb", used: false }], "model y:\nnot here");
  expect(text).not.toContain("\x1b");
  expect(text).toContain("    /a b\n");
  expect(text).toMatch(/\nnone can be used: model y: not here\n$/);
});
