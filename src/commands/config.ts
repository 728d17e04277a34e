import { jsonLine, printable } from "../core/printable.js";
import { type Config, type Flags, resolveConfig } from "../io/config.js";
import type { Streams } from "../io/streams.js";

/** `config`: the settings in force and where each came from; as lines, or as one JSON object. */
export async function showConfig(flags: Flags, json: boolean, io: Streams): Promise<number> {
  const config = await resolveConfig(flags, io);
  const rows = settingRows(config).map(([key, value]) => ({
    key,
    value,
    origin: config.origins.get(key) ?? "default",
  }));
  if (json) {
    const entries = rows.map(({ key, value, origin }) => [key, { value: value ?? null, origin }]);
    io.stdout.write(`${jsonLine(Object.fromEntries(entries))}\n`);
  } else {
    for (const { key, value, origin } of rows) io.stdout.write(`${key}: ${shown(value)}  # ${printable(origin)}\n`);
  }
  for (const warning of config.warnings) io.stderr.write(`arch-route: ${printable(warning)}\n`);
  return 0;
}

function settingRows(config: Config): (readonly [string, unknown])[] {
  return [
    ["engine", config.server ? "openai" : "llama"],
    ["url", config.server?.url.href],
    ["model", config.server ? config.server.model : config.model],
    ["routes", config.routes.routes.map((route) => route.name)],
    ["other", config.routes.other],
    ["command", config.routes.command],
    ["min_confidence", config.minConfidence],
    ["min_margin", config.minMargin],
    ["history", config.history],
    ["unicode", config.unicode],
    ["gpu", config.gpu],
    ["threads", config.threads],
    ["context", config.context],
    ["cascade", config.cascade],
    ["cascade_margin", config.cascadeMargin],
  ];
}

function shown(value: unknown): string {
  return value === undefined ? "(none)" : typeof value === "string" ? printable(value) : jsonLine(value);
}
