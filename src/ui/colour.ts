import { Chalk, type ChalkInstance } from "chalk";

/** Colours, or the same calls without effect. */
export function createChalk(colour: boolean): ChalkInstance {
  return new Chalk({ level: colour ? 1 : 0 });
}
