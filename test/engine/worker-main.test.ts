import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { embeddedModel } from "../../src/io/bundled.js";

// The program as it is shipped: `npm test` builds it first.
const entry = fileURLToPath(new URL("../../dist/engine/worker-main.js", import.meta.url));

it("ends with its parent, whatever is under way", async () => {
  const child = fork(entry, { serialization: "advanced", stdio: ["ignore", "ignore", "ignore", "ipc"] });
  child.send({ kind: "load", options: { modelPath: embeddedModel.path, threads: 1, gpu: "off" } });
  expect(await once(child, "message")).toEqual([{ kind: "ready", model: "arch-route-mini" }, undefined]);
  // One call of half a minute.
  const routes = Array.from({ length: 3000 }, (_, i) => ({
    name: `route ${i}`,
    description: "A long text. ".repeat(5),
  }));
  child.send({ kind: "rank", id: 0, routes, conversation: [{ role: "user", content: "x" }] });
  await setTimeout(500);
  const started = Date.now();
  child.disconnect();
  await once(child, "exit");
  expect(Date.now() - started).toBeLessThan(5000);
}, 60_000);
