import { statSync } from "node:fs";

/** Of what this program itself does with a model; a new one makes all that was kept before unknown. */
const VERSION = 1;

/**
 * What the numbers of an evaluation depend on beside its input: the model's file, as far as the system tells one state
 * of it from another, and `build`, all that was chosen about how it runs. Reading a gigabyte to be surer would take
 * longer than what is kept saves.
 */
export function identityOf(modelPath: string, build: readonly unknown[]): string {
  const { dev, ino, size, mtimeNs, ctimeNs } = statSync(modelPath, { bigint: true });
  return JSON.stringify([VERSION, ...[dev, ino, size, mtimeNs, ctimeNs].map(String), ...build]);
}
