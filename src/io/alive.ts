import { readFileSync } from "node:fs";

/** Whether there is such a process; with `started` (see startTime), whether it is the one that was meant. */
export function isAlive(pid: number, started?: string): boolean {
  const now = stateOf(pid);
  // What has ended, but was not waited for yet, has a process id too.
  if (now !== undefined) return !"ZX".includes(now.state) && (started === undefined || started === now.started);
  if (pid === process.pid) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** When a process started, as its system counts: with it a recycled process id is told apart. Undefined where the system does not say. */
export function startTime(pid: number): string | undefined {
  return stateOf(pid)?.started;
}

/** Linux only: state and start time are the fields 3 and 22, after a name that may hold anything. */
function stateOf(pid: number): { readonly state: string; readonly started: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state: fields[0] ?? "", started: fields[19] ?? "" };
  } catch {
    return undefined;
  }
}
