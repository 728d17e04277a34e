import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const setFile = /^(?!schema\.)(.+)\.json$/;

/** The encoder that comes with the package, and the sha256 of its file. */
export const embeddedModel = {
  path: join(root, "models", "arch-route-mini.gguf"),
  sha256: "8a8ae881db013477d1640022f95b60e8ba5ea5612fcdc46d1967f18a8f6de9bf",
} as const;

/** Name of the route set that is used when the user has none. */
export const DEFAULT_ROUTES = "coding";

/** Names of the shipped route sets. */
export function bundledRouteNames(): string[] {
  return readdirSync(join(root, "routes")).flatMap((file) => setFile.exec(file)?.[1] ?? []);
}

/** Path of a shipped route set; undefined if there is none of this name. */
export function bundledRoutes(name: string): string | undefined {
  return bundledRouteNames().includes(name) ? join(root, "routes", `${name}.json`) : undefined;
}

/** Version of this package. */
export function packageVersion(): string {
  return (JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string }).version;
}
