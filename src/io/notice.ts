import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Folders } from "./folders.js";

/** True the first time a notice of this name is due on this machine; false later, or if that cannot be recorded. */
export async function isFirstTime(folders: Folders, name: string): Promise<boolean> {
  try {
    const folder = join(folders.state, "notices");
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeFile(join(folder, name), "", { flag: "wx", mode: 0o600 });
    return true;
  } catch {
    return false;
  }
}
