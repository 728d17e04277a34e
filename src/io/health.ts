import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Environment, homeFolder } from "./folders.js";
import { NO_HOME } from "./home.js";
import { folderFault, freeSpace } from "./private-folder.js";

/** What this program runs on: "v20.20.2 on linux x64". */
export function runtime(): string {
  return `${process.version} on ${process.platform} ${process.arch}`;
}

/** Whether this Node is one that the package is tested on (package.json, "engines"). */
export function isRuntimeOld(version: string = process.version): boolean {
  const [major = 0, minor = 0] = version.replace(/^v/, "").split(".").map(Number);
  return major < 20 || (major === 20 && minor < 18);
}

/** What may be wrong with the folder in which models and evaluated prefixes are kept. */
export interface CacheHealth {
  readonly folder: string;
  /** Why nothing can be written there; undefined: something can. */
  readonly readOnly: string | undefined;
  /** Who else could write there, and what to do; undefined: nobody. */
  readonly fault: { readonly why: string; readonly hint: string } | undefined;
  /** Bytes; undefined: the system does not say. */
  readonly free: number | undefined;
}

/** Looks at a cache folder by using it: makes it if it is missing, writes a file and removes it. */
export async function examineCache(folder: string): Promise<CacheHealth> {
  const probe = join(folder, `.doctor.${process.pid}.${randomBytes(4).toString("hex")}.tmp`);
  let readOnly: string | undefined;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeFile(probe, "", { mode: 0o600, flag: "wx" });
    await unlink(probe);
  } catch (cause) {
    readOnly = (cause as Error).message;
  }
  return { folder, readOnly, fault: await folderFault(folder), free: await freeSpace(folder) };
}

/** The user's home as the program sees it; `named`: the environment has it, `exists`: it is there. */
export function examineHome(env: Environment): {
  readonly path: string;
  readonly named: boolean;
  readonly exists: boolean;
} {
  const path = homeFolder(env);
  return {
    path,
    named: path !== NO_HOME && Boolean(env["HOME"] || env["USERPROFILE"]),
    exists: path !== NO_HOME && existsSync(path),
  };
}

/** The first line that the kernel's NVIDIA driver says of itself; undefined: there is none, or this is not Linux. */
export function readDriver(path = "/proc/driver/nvidia/version"): string | undefined {
  try {
    return readFileSync(path, "utf8").split("\n")[0];
  } catch {
    return undefined;
  }
}
