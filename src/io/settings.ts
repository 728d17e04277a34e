import * as v from "valibot";
import { commandFault, stdinModes } from "../core/dispatch.js";
import { ArchRouteError } from "../core/errors.js";
import { unicodeModes } from "../core/prompt.js";
import { readServerUrl } from "./server-url.js";

/** What `--gpu` takes. */
export const gpuModes = ["auto", "cuda", "metal", "vulkan", "off"] as const;

const filled = v.pipe(v.string(), v.nonEmpty("must not be empty"));
const argv = v.pipe(
  v.array(v.string()),
  v.minLength(1, "a command needs at least its name"),
  v.rawCheck(({ dataset, addIssue }) => {
    const fault = dataset.typed ? commandFault(dataset.value) : undefined;
    if (fault !== undefined) addIssue({ message: fault });
  }),
);
/** The keys of what stands behind a route. */
export const target = {
  model: v.exactOptional(filled),
  run: v.exactOptional(v.pipe(v.array(argv), v.minLength(1, "there is no command in the list"))),
};
/** The keys of a route. */
export const route = { name: v.string(), description: v.string(), ...target };
const routeList = v.array(v.strictObject(route));
const number = (check: (value: number) => boolean, message: string) =>
  // Environment variables and flags are text.
  v.pipe(
    v.union([v.number(), v.pipe(v.string(), v.trim(), v.nonEmpty(), v.transform(Number))], message),
    v.check(check, message),
  );
const share = number((n) => n >= 0 && n <= 1, "must be a number from 0 to 1");
const eitherWay = "must be true or false";
const truth = v.pipe(v.union([v.boolean(), v.string()], eitherWay), v.parseBoolean(undefined, eitherWay));
const whole = (least: number) =>
  number((n) => Number.isInteger(n) && n >= least, `must be a whole number from ${least} up`);

/** The settings, by the keys of the configuration file, with what each may hold. */
export const settings = {
  model: v.exactOptional(filled),
  /** A list, or the name or path of a route set. */
  routes: v.exactOptional(v.lazy((value) => (typeof value === "string" ? filled : routeList))),
  other: v.exactOptional(v.strictObject(target)),
  command: v.exactOptional(argv),
  min_confidence: v.exactOptional(share),
  min_margin: v.exactOptional(share),
  history: v.exactOptional(
    v.union([v.picklist(["all", "last"]), whole(1)], "must be all, last or a whole number from 1 up"),
  ),
  unicode: v.exactOptional(v.picklist(unicodeModes)),
  gpu: v.exactOptional(v.picklist(gpuModes)),
  threads: v.exactOptional(whole(1)),
  context: v.exactOptional(whole(512)),
  stdin: v.exactOptional(v.picklist(stdinModes)),
  timeout: v.exactOptional(number((n) => n > 0, "must be a number of seconds above 0")),
  session_margin: v.exactOptional(share),
  warmup: v.exactOptional(argv),
  /** Where the model runs: here, or on a server with OpenAI's API. */
  engine: v.exactOptional(v.picklist(["llama", "openai"])),
  url: v.exactOptional(
    v.pipe(
      v.string(),
      v.check((text) => readServerUrl(text) !== undefined, "must be http(s)://host[:port][/path], no more"),
    ),
  ),
  cascade: v.exactOptional(truth),
  cascade_margin: v.exactOptional(share),
};
/** A configuration file. */
export const configSchema = v.strictObject(settings);
/** A file with a route set. */
export const routeSetSchema = v.strictObject({
  $schema: v.exactOptional(v.string()),
  routes: routeList,
  other: settings.other,
  command: settings.command,
});

export type Settings = v.InferOutput<typeof configSchema>;
export type RouteSetSettings = v.InferOutput<typeof routeSetSchema>;

/** The keys of the configuration file. */
export const settingKeys = Object.keys(settings) as (keyof Settings)[];

/** One setting from text. `origin` (an environment variable, a flag) is named in the error. */
export function parseSetting<Key extends keyof Settings>(key: Key, text: string, origin: string): Settings[Key] {
  const result = v.safeParse(settings[key], text);
  if (result.success) return result.output as Settings[Key];
  const code = origin.startsWith("-") ? "E_USAGE" : "E_CONFIG";
  throw new ArchRouteError(code, `${origin} ${text}: ${explain(result.issues[0])}`);
}

/** Whether a key stands where none of this name may. */
export function isUnknownKey(issue: v.BaseIssue<unknown>): boolean {
  return issue.type === "strict_object" && issue.expected === "never";
}

/** What is wrong with a value, in words. */
export function explain(issue: v.BaseIssue<unknown>): string {
  if (isUnknownKey(issue)) return "unknown key";
  if (issue.received === "undefined") return "missing";
  return issue.message.startsWith("Invalid") ? `expected ${issue.expected}, got ${issue.received}` : issue.message;
}
