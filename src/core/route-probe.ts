import type { Conversation } from "./conversation.js";
import { decide } from "./decision.js";
import type { Engine } from "./engine.js";
import { OTHER, type Route } from "./route.js";
import type { Finding } from "./route-check.js";
import { nameWords } from "./words.js";

/** Log-probability ratio of a route over the next on its own description, below which prompts will waver between them. */
const LEAST_RATIO = Math.log(4);
/** The same for an encoder, to which a description is nearly the route's own text: 7.5 or more in the shipped sets. */
const LEAST_ENCODER_RATIO = 4;
/** Probability ratio by which another description must beat a route's own, given its name. */
const NAME_RATIO = Math.log(4);

/** Finds faults by asking the model: each description, read as a prompt, must choose its own route, and so must each name. */
export async function probeRoutes(engine: Engine, routes: readonly Route[], context: number): Promise<Finding[]> {
  const findings = await findLengthFaults(engine, routes, context);
  for (const route of routes) {
    findings.push(...(await probeDescription(engine, routes, route)), ...(await probeName(engine, routes, route)));
  }
  return findings;
}

async function probeDescription(engine: Engine, routes: readonly Route[], route: Route): Promise<Finding[]> {
  const scores = await engine.rank(routes, said(route.description));
  const { ranking } = decide(routes, scores);
  // Only a generative model can have anything else to say.
  const least = scores.inSet === undefined ? LEAST_ENCODER_RATIO : LEAST_RATIO;
  const own = ranking.find((entry) => entry.route === route.name)?.probability ?? 0;
  const rival = ranking.find((entry) => entry.route !== route.name);
  if (rival === undefined || Math.log(own) - Math.log(rival.probability) >= least) return [];
  const figures = `${own.toFixed(3)} for ${route.name}, ${rival.probability.toFixed(3)} for ${rival.route}`;
  if (rival.route === OTHER) {
    return [
      {
        routes: [route.name],
        kind: "vague",
        message: `read as a prompt, its own description finds no route (${figures})`,
        fix: `name three or more things that its prompts mention, as nouns: "${nameWords(route.name).join(" ")}: …, … and …"`,
      },
    ];
  }
  return [
    {
      routes: [route.name, rival.route],
      kind: "overlap",
      message: `read as a prompt, its description does not clearly choose ${route.name} (${figures})`,
      fix: `name in ${route.name} what ${rival.route} is never about, or make one route of them`,
    },
  ];
}

/** The names are hidden, so that a name is compared with what the descriptions say alone. */
async function probeName(engine: Engine, routes: readonly Route[], route: Route): Promise<Finding[]> {
  const words = nameWords(route.name);
  if (words.length === 0 || routes.length < 2) return [];
  const hidden = routes.map(({ description }, index) => ({ name: `r${index + 1}`, description }));
  const { ranking } = decide(hidden, await engine.rank(hidden, said(words.join(" "))));
  const own = `r${routes.indexOf(route) + 1}`;
  const best = ranking.find((entry) => entry.route !== OTHER);
  const mine = ranking.find((entry) => entry.route === own)?.probability ?? 0;
  if (!best || best.route === own || Math.log(best.probability) - Math.log(mine) < NAME_RATIO) return [];
  const rival = routes[Number(best.route.slice(1)) - 1]?.name ?? "";
  return [
    {
      routes: [route.name, rival],
      kind: "name",
      message: `the name fits the description of ${rival} better (${best.probability.toFixed(2)} to ${mine.toFixed(2)})`,
      fix: `rename ${route.name} after what its description is about, or swap the two descriptions`,
    },
  ];
}

/** What the model would not read: a description's tail, or routes that leave too little room for the conversation. */
async function findLengthFaults(engine: Engine, routes: readonly Route[], context: number): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const route of routes) {
    const { name, description } = route;
    const shorter = { name, description: description.slice(0, Math.ceil(description.length * 0.75)) };
    const [whole, cut] = [await engine.rank([route], said(name)), await engine.rank([shorter], said(name))];
    // Equal to the last digit: the last quarter was never looked at.
    if (whole.logProbabilities[0] !== cut.logProbabilities[0] || whole.tokens.prompt !== cut.tokens.prompt) continue;
    findings.push({
      routes: [name],
      kind: "too-long",
      message: "the model does not read the last quarter of the description",
      fix: `end it after "…${shorter.description.slice(-40)}", or earlier`,
    });
  }
  const { tokens } = await engine.rank(routes, said("hello"));
  const room = Math.floor(context / 2);
  if (tokens.prompt <= room) return findings;
  const longest = [...routes].sort((a, b) => b.description.length - a.description.length).slice(0, 3);
  findings.push({
    routes: longest.map(({ name }) => name),
    kind: "too-long",
    message: `the routes take ${tokens.prompt} tokens of a context of ${context}: more than half of it`,
    fix: `shorten these, the longest, or split the set; --context ${2 ** Math.ceil(Math.log2(tokens.prompt * 2))} would do too, but slowly`,
  });
  return findings;
}

function said(text: string): Conversation {
  return [{ role: "user", content: text }];
}
