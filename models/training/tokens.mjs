#!/usr/bin/env node
// Turns data into token ids with the tool's own functions, so that what is trained on is what the tool reads.
//   node tokens.mjs MODEL.gguf IN.jsonl OUT.tokens
// In: lines of build_data.py. Out: {"routes": [ids...], "items": [{"query": ids, "label": index of the route, or the number of
// routes for `other`, "source"}...]} a line; ids without the two tokens that frame every text. The model lends its tokenizer only.
import { createReadStream, createWriteStream, renameSync } from "node:fs";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { load } from "../../dist/engine/llama.js";
import { queryTokens, routeTokens } from "../../dist/engine/encoder-text.js";

const [modelPath, input, output] = process.argv.slice(2);
const { llama, model } = await load({ modelPath, gpu: "off", threads: 1 });
function labelOf(names, route) {
  const label = route === "other" ? names.length : names.indexOf(route);
  if (label < 0) throw new Error(`${input}: no route ${route}`);
  return label;
}
const tokenize = (text) => model.tokenize(text, false);
// Under its own name only when it is whole.
const out = createWriteStream(`${output}.part`);
for await (const line of createInterface({ input: createReadStream(input) })) {
  const { routes, items, ...single } = JSON.parse(line);
  const names = routes.map((route) => route.name);
  const text = JSON.stringify({
    routes: routes.map((route) => routeTokens(route, tokenize).tokens),
    items: (items ?? [single]).map(({ conversation, route, source }) => ({
      query: queryTokens(conversation, tokenize).tokens,
      label: labelOf(names, route),
      source,
    })),
  });
  if (!out.write(`${text}\n`)) await once(out, "drain");
}
out.end();
await once(out, "finish");
renameSync(`${output}.part`, output);
await llama.dispose();
