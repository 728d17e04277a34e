import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import stringWidth from "string-width";
import { stringify } from "yaml";
import { ArchRouteError } from "../core/errors.js";
import { jsonLine, printable } from "../core/printable.js";
import { type Flags, resolveConfig } from "../io/config.js";
import { readPlanoRoutes } from "../io/plano.js";
import type { Streams } from "../io/streams.js";

/** `routes list`: a line a route, or the set as JSON. */
export async function listRoutes(flags: Flags, json: boolean, io: Streams): Promise<number> {
  const { routes } = await resolveConfig(flags, io);
  if (json) {
    io.stdout.write(`${jsonLine(routes)}\n`);
    return 0;
  }
  const rows = routes.routes.map(({ name, description }) => [printable(name), printable(description)] as const);
  const width = Math.max(...rows.map(([name]) => stringWidth(name)));
  for (const [name, description] of rows) {
    io.stdout.write(`${name}${" ".repeat(width - stringWidth(name))}  ${description}\n`);
  }
  return 0;
}

const FILE = ".arch-route.yaml";

const template = `# Routes of this project, see https://github.com/arch-route/arch-route#routes
# The name is what is printed; the description is what the model reads: say what the prompts are about.
routes:
  - name: code_generation
    description: Writing new functions, scripts, tests or configuration from a description
  - name: bug_fixing
    description: Finding and fixing errors, exceptions and wrong results in existing code
  - name: casual
    description: Small talk, jokes and questions about the weather
# min_confidence: 0.5
`;

/** `routes init`: a file to start from; never over one that is there. */
export async function initRoutes(io: Streams): Promise<number> {
  const path = join(io.cwd(), FILE);
  try {
    await writeFile(path, template, { flag: "wx" });
  } catch (cause) {
    const exists = (cause as NodeJS.ErrnoException).code === "EEXIST";
    throw new ArchRouteError(
      exists ? "E_USAGE" : "E_OUTPUT",
      `${path}: ${exists ? "is there already" : (cause as Error).message}`,
      {
        hint: exists ? "edit it, or remove it first" : "choose another folder",
        cause,
      },
    );
  }
  io.stdout.write(`${printable(path)}\n`);
  return 0;
}

/** `routes import`: the routes of a Plano configuration, as a route set in YAML. */
export async function importRoutes(file: string, io: Streams): Promise<number> {
  io.stdout.write(printable(stringify({ routes: await readPlanoRoutes(file, io.cwd()) })));
  return 0;
}
