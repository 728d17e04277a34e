import { ArchRouteError } from "../core/errors.js";
import { jsonLine, printable } from "../core/printable.js";
import { powersOf } from "../io/config.js";
import { findProjectFile } from "../io/config-search.js";
import { findFolders } from "../io/folders.js";
import type { Streams } from "../io/streams.js";
import { trust } from "../io/trust.js";

/** `trust`: shows what the project's file may run or load, and records that the user allows it as it is now. */
export async function trustProject(io: Streams): Promise<number> {
  const project = await findProjectFile(io.cwd());
  if (project === undefined) {
    throw new ArchRouteError("E_CONFIG", "trust: there is no .arch-route.yaml here or above", {
      hint: "arch-route routes init writes one",
    });
  }
  for (const [what, value] of powersOf(project.values)) io.stdout.write(`${printable(what)}: ${jsonLine(value)}\n`);
  await trust(findFolders(io.env), project.fingerprint);
  io.stdout.write(`trusted: ${printable(project.path)}\n`);
  return 0;
}
