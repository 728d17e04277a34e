import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";

const folder = process.env["ARCH_ROUTE_TEST_SERVERS"] ?? "/tmp/lcp";

/** A real server, if install.sh built it. */
export interface ServerKind {
  readonly name: string;
  readonly program: string;
  readonly isInstalled: boolean;
  /** Its arguments. One thread, no flash attention, a context of 2048: as the local engine that it is compared with. */
  readonly args: (modelPath: string, port: number) => readonly string[];
}

const llamaServer = `${folder}-build/bin/llama-server`;
const python = `${folder}/venv/bin/python`;

export const serverKinds: readonly ServerKind[] = [
  {
    name: "llama-server",
    program: llamaServer,
    isInstalled: existsSync(llamaServer),
    args: (modelPath, port) =>
      `-m ${modelPath} --port ${port} --host 127.0.0.1 -c 4096 -np 2 -t 1 -tb 1 -fa off --no-warmup`.split(" "),
  },
  {
    name: "llama-cpp-python",
    program: python,
    isInstalled: existsSync(`${folder}/venv/bin/uvicorn`),
    args: (modelPath, port) =>
      `-m llama_cpp.server --model ${modelPath} --port ${port} --host 127.0.0.1 --n_ctx 2048 --n_threads 1 --n_threads_batch 1 --logits_all true`.split(
        " ",
      ),
  },
];

export interface RunningServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts it on a free port of this machine and waits until it answers. */
export async function startServer(kind: ServerKind, modelPath: string): Promise<RunningServer> {
  const port = await freePort();
  const child = spawn(kind.program, kind.args(modelPath, port), { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.on("data", (chunk) => {
    log = `${log}${chunk}`.slice(-4000);
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; !(await answers(`${url}/v1/models`)); tries++) {
    if (child.exitCode !== null || tries > 300) throw new Error(`${kind.name} does not start: ${log}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return { url, stop: () => stop(child, ended) };
}

async function stop(child: ChildProcess, ended: Promise<void>): Promise<void> {
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
  await ended;
  clearTimeout(timer);
}

async function answers(url: string): Promise<boolean> {
  return await fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
