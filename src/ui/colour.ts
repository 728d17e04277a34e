import { Chalk, type ChalkInstance } from "chalk";

/** What colours a text; a call without effect where there are none. */
export type { ChalkInstance };

/** Colours, or the same calls without effect. */
export function createChalk(colour: boolean): ChalkInstance {
  return new Chalk({ level: colour ? 1 : 0 });
}
