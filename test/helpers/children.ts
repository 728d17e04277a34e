import { readdirSync, readFileSync } from "node:fs";

/** The processes that this one has started (Linux). */
export function children(): number[] {
  const tasks = readdirSync("/proc/self/task");
  return tasks.flatMap((task) =>
    readFileSync(`/proc/self/task/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number),
  );
}
