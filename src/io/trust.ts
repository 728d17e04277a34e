import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ArchRouteError } from "../core/errors.js";
import type { Folders } from "./folders.js";

/** What is trusted: the exact contents of a project file and of the route set it names, whatever their paths. */
export function fingerprint(texts: readonly string[]): string {
  const hash = createHash("sha256");
  for (const text of texts) hash.update(`${Buffer.byteLength(text)}\n`).update(text);
  return hash.digest("hex");
}

/** Whether the user said that what has this fingerprint may choose commands and models. */
export async function isTrusted(folders: Folders, print: string): Promise<boolean> {
  return (await readTrusted(folders)).includes(print);
}

/** Records the user's trust. Throws E_OUTPUT. */
export async function trust(folders: Folders, print: string): Promise<void> {
  const known = await readTrusted(folders);
  if (known.includes(print)) return;
  try {
    await mkdir(folders.state, { recursive: true, mode: 0o700 });
    const temporary = join(folders.state, `trusted.${process.pid}.tmp`);
    await writeFile(temporary, [...known, print, ""].join("\n"), { mode: 0o600, flag: "wx" });
    await rename(temporary, file(folders));
  } catch (cause) {
    throw new ArchRouteError("E_OUTPUT", `trust: cannot be recorded: ${(cause as Error).message}`, {
      hint: "set XDG_STATE_HOME to a folder that can be written",
      cause,
    });
  }
}

async function readTrusted(folders: Folders): Promise<string[]> {
  try {
    return (await readFile(file(folders), "utf8")).split("\n").filter((line) => line !== "");
  } catch {
    // No list, or one that cannot be read: nothing is trusted.
    return [];
  }
}

function file(folders: Folders): string {
  return join(folders.state, "trusted");
}
