import { dirname, isAbsolute, resolve } from "node:path";
import { CASCADE_MARGIN } from "../core/cascade.js";
import type { History } from "../core/conversation.js";
import type { StdinMode } from "../core/dispatch.js";
import { ArchRouteError } from "../core/errors.js";
import type { Unicode } from "../core/prompt.js";
import type { RouteSet } from "../core/route.js";
import { DEFAULT_ROUTES } from "./bundled.js";
import { findProjectFile, findUserFile, type ProjectFile } from "./config-search.js";
import { type Folders, findFolders } from "./folders.js";
import { findStores, type Stores } from "./model-stores.js";
import { readRouteSet } from "./route-set-file.js";
import { isOffline, type ServerAccess } from "./server-access.js";
import { readServerUrl } from "./server-url.js";
import { type gpuModes, parseSetting, type Settings, settingKeys } from "./settings.js";
import type { Streams } from "./streams.js";
import { isTrusted } from "./trust.js";

/** The settings in force. */
export interface Config {
  /** `mini`, `arch-router[:quant]`, `hf:user/repository/file.gguf` or a path; undefined: the best one found. */
  readonly model: string | undefined;
  readonly routes: RouteSet;
  readonly minConfidence: number;
  readonly minMargin: number;
  readonly history: History;
  readonly unicode: Unicode;
  readonly gpu: (typeof gpuModes)[number];
  /** Undefined: chosen from the machine and its load. */
  readonly threads: number | undefined;
  /** Tokens that a generative model's context holds. */
  readonly context: number;
  /** What a command finds on its standard input. */
  readonly stdin: StdinMode;
  /** Seconds that a command may run; undefined: as long as it likes. */
  readonly timeout: number | undefined;
  /** How much likelier than the session's route another must be to take over. */
  readonly sessionMargin: number;
  /** Started as soon as the route can be guessed, so that its model loads while the router decides. */
  readonly warmup: readonly string[] | undefined;
  /** Where the model runs, if not here. */
  readonly server: ServerChoice | undefined;
  /** The embedded model decides where it is sure; the model that is asked for gets the rest. */
  readonly cascade: boolean;
  /** How far the embedded model's two best must be apart, 0 to 1, for it to decide. */
  readonly cascadeMargin: number;
  readonly folders: Folders;
  /** Where other programs keep models. */
  readonly stores: Stores;
  readonly access: ServerAccess;
  /** Where each setting's value came from, by the key of the configuration file. */
  readonly origins: ReadonlyMap<string, string>;
  /** What the user should know about how this came to be; for stderr. */
  readonly warnings: readonly string[];
}

/** A server of the user's own. */
export interface ServerChoice {
  /** The base of its API, with a slash at its end. */
  readonly url: URL;
  /** The model it is asked for; undefined: the one it lists first. */
  readonly model: string | undefined;
}

/** Command-line flags as text, by configuration key; `offline` is no setting: no file can take it back. */
export type Flags = { readonly [Key in keyof Settings]?: string | undefined } & { readonly offline?: boolean };

interface Layer {
  readonly values: Settings;
  /** Where the value of a key came from, for people. */
  readonly origin: (key: keyof Settings) => string;
  /** Where relative paths in it start. */
  readonly folder: string;
}

const defaults = {
  min_confidence: 0,
  min_margin: 0,
  history: "all",
  unicode: "raw",
  gpu: "auto",
  context: 4096,
  stdin: "prompt",
  session_margin: 0.5,
  engine: "llama",
  cascade: false,
  cascade_margin: CASCADE_MARGIN,
} as const;

/** Defaults < user file < project file < environment < flags. Throws E_CONFIG, E_USAGE. */
export async function resolveConfig(flags: Flags, io: Pick<Streams, "env" | "cwd">): Promise<Config> {
  const cwd = io.cwd();
  const folders = findFolders(io.env);
  const warnings: string[] = [];
  const [user, project] = [await findUserFile(folders.config), await findProjectFile(cwd)];
  const layers: Layer[] = [
    { values: { ...defaults, routes: DEFAULT_ROUTES }, origin: () => "default", folder: cwd },
    ...(user ? [{ values: user.values, origin: () => user.path, folder: folders.config }] : []),
    ...(project ? [await projectLayer(project, folders, warnings)] : []),
    textLayer(environmentName, (key) => io.env[environmentName(key)], cwd),
    textLayer(flagName, (key) => flags[key], cwd),
  ];
  if (flags.url !== undefined && engineOf(layers) === "llama") {
    throw new ArchRouteError("E_USAGE", "--url: the model runs on this machine", { hint: "add --engine openai" });
  }
  const origins = new Map<string, string>();
  const merged: Settings = {};
  for (const { values, origin } of await Promise.all(layers.map((layer) => complete(layer, layers)))) {
    for (const key of settingKeys) if (values[key] !== undefined) origins.set(key, origin(key));
    Object.assign(merged, values);
  }
  const access = { env: io.env, offline: isOffline(flags.offline === true, io.env) };
  return { ...toConfig(merged), folders, stores: findStores(io.env), access, origins, warnings };
}

function engineOf(layers: readonly Layer[]): Settings["engine"] {
  return layers.findLast(({ values }) => values.engine !== undefined)?.values.engine;
}

function toConfig(values: Settings): Omit<Config, "folders" | "stores" | "access" | "origins" | "warnings"> {
  const all = { ...defaults, ...values };
  const server = all.engine === "openai" ? toServer(all) : undefined;
  return {
    // A server's name for its model is none of a model here.
    model: server ? undefined : all.model,
    server,
    routes: {
      routes: Array.isArray(all.routes) ? all.routes : [],
      ...(all.other && { other: all.other }),
      ...(all.command && { command: all.command }),
    },
    minConfidence: all.min_confidence,
    minMargin: all.min_margin,
    history: all.history,
    unicode: all.unicode,
    gpu: all.gpu,
    threads: all.threads,
    context: all.context,
    stdin: all.stdin,
    timeout: all.timeout,
    sessionMargin: all.session_margin,
    warmup: all.warmup,
    cascade: all.cascade,
    cascadeMargin: all.cascade_margin,
  };
}

function toServer({ url, model }: Settings): ServerChoice {
  const base = url === undefined ? undefined : readServerUrl(url);
  if (base !== undefined) return { url: base, model };
  throw new ArchRouteError("E_CONFIG", "engine openai: there is no url", {
    hint: "say where the server is, such as --url http://127.0.0.1:8080/v1",
  });
}

/** Until it is trusted, a project's file may describe routes and thresholds, but name nothing that is run or loaded. */
async function projectLayer(project: ProjectFile, folders: Folders, warnings: string[]): Promise<Layer> {
  const { path, values } = project;
  const layer = { values, origin: () => path, folder: dirname(path) };
  if (powersOf(values).length === 0 || (await isTrusted(folders, project.fingerprint))) return layer;
  warnings.push(`${path}: not trusted: its commands and models are ignored; read it, then run arch-route trust`);
  return { ...layer, values: withoutPowers(values) };
}

/** What a file may run or load, as key and value. */
export function powersOf({
  model,
  other,
  command,
  warmup,
  routes,
  engine,
  url,
}: Settings): (readonly [string, unknown])[] {
  const list = Array.isArray(routes) ? routes : [];
  const powers: (readonly [string, unknown])[] = [
    ["model", model === "mini" ? undefined : model],
    ["command", command],
    ["other", other],
    ["warmup", warmup],
    ["engine", engine],
    ["url", url],
    ...list.flatMap(({ name, run, model: label }) => [
      [`${name}: run`, run] as const,
      [`${name}: model`, label] as const,
    ]),
  ];
  return powers.filter(([, value]) => value !== undefined);
}

function withoutPowers({ other, command, warmup, engine, url, model, routes, ...rest }: Settings): Settings {
  return {
    ...rest,
    ...(model === "mini" && { model }),
    ...(Array.isArray(routes) && { routes: routes.map(({ name, description }) => ({ name, description })) }),
    ...(typeof routes === "string" && { routes }),
  };
}

const environmentName = (key: keyof Settings) => `ARCH_ROUTE_${key.toUpperCase()}`;
const flagName = (key: keyof Settings) => `--${key.replaceAll("_", "-")}`;

/** Settings that have no form as text. */
const structured = new Set<keyof Settings>(["other", "command", "warmup"]);

function textLayer(
  nameOf: (key: keyof Settings) => string,
  textOf: (key: keyof Settings) => string | undefined,
  folder: string,
): Layer {
  const given = settingKeys.flatMap((key) => {
    const text = structured.has(key) ? undefined : textOf(key);
    return text === undefined ? [] : [[key, parseSetting(key, text, nameOf(key))] as const];
  });
  return { values: Object.fromEntries(given), origin: nameOf, folder };
}

/** Reads the route set that a layer names, if its routes are the ones that count, and makes the path of a model absolute. */
async function complete(layer: Layer, layers: readonly Layer[]): Promise<Layer> {
  const { routes, model } = layer.values;
  const values = { ...layer.values };
  if (model !== undefined && isPath(model) && engineOf(layers) !== "openai")
    values.model = resolve(layer.folder, model);
  if (typeof routes !== "string" || layer !== layers.findLast((other) => other.values.routes !== undefined)) {
    return { ...layer, values };
  }
  const { $schema: _, ...set } = (await readRouteSet(routes, layer.folder)).settings;
  return { ...layer, values: { ...set, ...values, routes: set.routes } };
}

function isPath(model: string): boolean {
  return !isAbsolute(model) && !model.startsWith("hf:") && /[/\\]|\.gguf$/i.test(model);
}
