import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  COMMIT,
  FILE,
  type HubFiles,
  type HubServer,
  isDownload,
  json,
  redirect,
  sha256Of,
  startHub,
} from "../helpers/hub-server.js";
import { routerFile } from "../helpers/router-file.js";
import { type CliOptions, runCli, temporaryFolder } from "../helpers/run-cli.js";

const bytes = routerFile(400_000);
const bin = fileURLToPath(new URL("../../bin/arch-route.js", import.meta.url));
const open: { close(): Promise<void> }[] = [];
const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await Promise.all(open.splice(0).map((hub) => hub.close()));
});

async function hubWith(files: Partial<HubFiles> = {}): Promise<HubServer> {
  const hub = await startHub({ bytes, ...files });
  open.push(hub);
  return hub;
}

/** A home of its own, and the environment that leads to it and to a hub. */
function place(hub: Pick<HubServer, "url">, more: Readonly<Record<string, string>> = {}) {
  const home = temporaryFolder();
  const cache = join(home, "cache");
  const env = {
    HOME: home,
    XDG_CACHE_HOME: cache,
    XDG_STATE_HOME: join(home, "state"),
    ARCH_ROUTE_HUB: hub.url,
    ...more,
  };
  return { env, models: join(cache, "arch-route", "models") };
}

const pull = (
  env: Record<string, string>,
  options: Partial<CliOptions> = {},
  args: readonly string[] = ["--accept-license"],
) => runCli(["models", "pull", "arch-router", ...args], { env, ...options });

describe("models pull", () => {
  it("fetches what is asked for, keeps what is known of it, and prints where it is", async () => {
    const hub = await hubWith();
    const { env, models } = place(hub);
    const result = await pull(env);
    const path = join(models, FILE);
    expect(result).toMatchObject({ code: 0, stdout: `${path}\n` });
    expect(result.stderr).toContain("licence: test-licence");
    expect(result.stderr).toContain(`commit ${COMMIT.slice(0, 12)}`);
    expect(result.stderr).toMatch(/100 %, 0 of 0 MB/);
    expect(readFileSync(path).equals(bytes)).toBe(true);
    const note = JSON.parse(readFileSync(`${path}.json`, "utf8"));
    expect(note).toMatchObject({ sha256: sha256Of(bytes), commit: COMMIT, licence: { name: "test-licence" } });
    expect(statSync(`${path}.json`).mode & 0o777).toBe(0o600);
    const { stdout } = await runCli(["models", "--json"], { env });
    expect(JSON.parse(stdout)).toMatchObject({
      models: [{ name: "arch-router:q4_k_m", verified: "yes", used: true }, {}],
      used: { path },
    });
  });

  it("asks for the commit once and then by its name only", async () => {
    const hub = await hubWith();
    await pull(place(hub).env);
    expect(hub.seen.filter(({ path }) => path.includes("main"))).toHaveLength(1);
    expect(hub.seen.filter(({ path }) => path.includes("/resolve/")).every(({ path }) => path.includes(COMMIT))).toBe(
      true,
    );
  });

  it("fetches nothing twice", async () => {
    const hub = await hubWith();
    const { env } = place(hub);
    await pull(env);
    const before = hub.seen.length;
    expect(await pull(env)).toMatchObject({
      code: 0,
      stderr: "arch-route: arch-router:q4_k_m is on this machine already\n",
    });
    expect(hub.seen).toHaveLength(before);
  });

  it("fetches again what was damaged", async () => {
    const hub = await hubWith();
    const { env, models } = place(hub);
    await pull(env);
    const damaged = Buffer.from(bytes);
    damaged[bytes.length - 1] = 1;
    writeFileSync(join(models, FILE), damaged);
    expect((await pull(env)).code).toBe(0);
    expect(readFileSync(join(models, FILE)).equals(bytes)).toBe(true);
  });

  it("fetches any other file of the hub by its full name, and finds it by that again", async () => {
    const hub = await hubWith({ repository: "some-one/X.Y_z", file: "x.gguf" });
    const { env, models } = place(hub);
    const reference = "hf:some-one/X.Y_z/x.gguf";
    const path = join(models, "some-one--X.Y_z--x.gguf");
    const result = await runCli(["models", "pull", reference, "--accept-license"], { env });
    expect(result).toMatchObject({ code: 0, stdout: `${path}\n` });
    expect(await runCli(["models", "path", reference], { env })).toMatchObject({ code: 0, stdout: `${path}\n` });
    const { stdout } = await runCli(["models", "-m", reference, "--json"], { env });
    expect(JSON.parse(stdout).models).toMatchObject([
      { name: reference, verified: "yes", used: true },
      { name: "mini" },
    ]);
    expect(await runCli(["models", "path", "hf:some-one/other/x.gguf"], { env })).toMatchObject({ code: 4 });
    expect(await runCli(["models", "rm", reference], { env })).toMatchObject({ code: 0 });
  });

  it("says what a repository has instead", async () => {
    const { env } = place(await hubWith());
    const result = await runCli(["models", "pull", "arch-router:q8_0", "--accept-license"], { env });
    expect(result.code).toBe(5);
    expect(result.stderr).toContain(`no file Arch-Router-1.5B-Q8_0.gguf; it has ${FILE}\n`);
  });

  it("refuses a file that is whole but no model", async () => {
    const { env } = place(await hubWith({ bytes: Buffer.from("<html>not a model at all</html>") }));
    expect(await pull(env)).toMatchObject({ code: 4, stderr: expect.stringMatching(/not a usable GGUF file/) });
  });

  it.each<[string, HubFiles["fault"]]>([
    [
      "a tree without sums",
      (request, response) => answerTree(request.url, () => json(response, [{ type: "file", path: FILE, size: 1 }])),
    ],
    [
      "a sum of a wrong form",
      (request, response) =>
        answerTree(request.url, () => json(response, [{ type: "file", path: FILE, size: 1, lfs: { oid: "../x" } }])),
    ],
    [
      "a size that is none",
      (request, response) =>
        answerTree(request.url, () =>
          json(response, [{ type: "file", path: FILE, size: -1, lfs: { oid: sha256Of(bytes) } }]),
        ),
    ],
    [
      "a size beyond all",
      (request, response) =>
        answerTree(request.url, () =>
          json(response, [{ type: "file", path: FILE, size: 2 ** 50, lfs: { oid: sha256Of(bytes) } }]),
        ),
    ],
    [
      "a web page",
      (request, response) =>
        answerTree(request.url, () => response.writeHead(200).end("<!doctype html><html>Sign in</html>")),
    ],
    [
      "a commit that is none",
      (request, response) => {
        if (!request.url?.endsWith("/main")) return false;
        json(response, { sha: "../../x" });
        return true;
      },
    ],
  ])("ends with 5 on %s", async (_, fault) => {
    const hub = await hubWith({ ...(fault && { fault }) });
    const { env, models } = place(hub);
    expect((await pull(env)).code).toBe(5);
    expect(hub.downloads()).toEqual([]);
    expect(existsSync(join(models, FILE))).toBe(false);
  });

  it("strips what the hub says of what a terminal would obey", async () => {
    const { env } = place(await hubWith({ cardData: { license_name: "\x1b]0;owned\x07evil\nlicence: MIT" } }));
    const { stderr } = await pull(env);
    expect(stderr).not.toContain("\x1b");
    expect(stderr).toContain("licence: evil licence: MIT,");
  });
});

function answerTree(url: string | undefined, run: () => unknown): boolean {
  if (!url?.includes("/tree/")) return false;
  run();
  return true;
}

describe("the licence", () => {
  it("must be accepted before anything is asked of the hub", async () => {
    const hub = await hubWith();
    const result = await pull(place(hub).env, { stdin: "y\n" }, []);
    expect(result.code).toBe(2);
    expect(result.stderr).toMatch(/katanemo-research, https:.*add --accept-license\n$/);
    expect(hub.seen).toEqual([]);
  });

  it.each([
    ["y\n", 0],
    ["YES\n", 0],
    ["n\n", 2],
    ["\n", 2],
    ["sure\n", 2],
  ])("may be accepted at a terminal: %j gives %i", async (answer, code) => {
    const hub = await hubWith();
    const stdin = Object.assign(Readable.from([answer]), { isTTY: true });
    const result = await pull(place(hub).env, { stdin, stderrIsTerminal: true }, ["-q"]);
    expect(result.code).toBe(code);
    expect(result.stderr).toContain("Do you accept the licence? [y/N]");
    expect(hub.downloads().length > 0).toBe(code === 0);
  });
});

describe("names", () => {
  const quantisation = (text: string) => `arch-router:${text}`;
  it.each([
    "../x",
    "/etc/passwd",
    "a\0b",
    "..\\x",
    "C:\\x.gguf",
    "",
    ".",
    "mini",
    "x.gguf",
    "https://example.org/x.gguf",
    quantisation("../../x"),
    quantisation("q4_k_m/../x"),
    quantisation(""),
    quantisation("sha256:abc"),
    quantisation("q4_k_m\0"),
    "hf:../x/y.gguf",
    "hf:a/../y.gguf",
    "hf:a/b/../y.gguf",
    "hf:a/b/c/d.gguf",
    "hf:a/b/x.bin",
    "hf:/a/b.gguf",
    "hf:a/b/%2e%2e.gguf",
    "hf:a/b/x.gguf@sha256:zz",
    "hf:a/b/x.gguf?x=y",
    "hf:a/b\\c/x.gguf",
    "hf:a/b/x\n.gguf",
    "hf:.a/b/x.gguf",
  ])("%j is refused before any connection", async (name) => {
    const hub = await hubWith();
    const connect = vi.spyOn(Socket.prototype, "connect");
    const { code, stderr } = await runCli(["models", "pull", "--accept-license", "--", name], { env: place(hub).env });
    expect(connect).not.toHaveBeenCalled();
    connect.mockRestore();
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringMatching(/^arch-route: [^\n]+\n$/) });
    expect(hub.seen).toEqual([]);
  });
});

describe("offline", () => {
  it.each<[readonly string[], Record<string, string>]>([
    [["--offline"], {}],
    [[], { ARCH_ROUTE_OFFLINE: "1" }],
    [[], { HF_HUB_OFFLINE: "true" }],
  ])("%j %j makes no connection", async (args, more) => {
    const hub = await hubWith();
    const connect = vi.spyOn(Socket.prototype, "connect");
    const result = await pull(place(hub, more).env, {}, ["--accept-license", ...args]);
    expect(connect).not.toHaveBeenCalled();
    connect.mockRestore();
    expect(result).toMatchObject({ code: 5, stderr: expect.stringMatching(/offline: no connection is made/) });
  });

  it.each(["0", "false", ""])("is not meant by ARCH_ROUTE_OFFLINE=%s", async (value) => {
    expect((await pull(place(await hubWith(), { ARCH_ROUTE_OFFLINE: value }).env)).code).toBe(0);
  });

  it("uses what is here", async () => {
    const hub = await hubWith();
    const { env } = place(hub);
    await pull(env);
    expect((await pull({ ...env, ARCH_ROUTE_OFFLINE: "1" })).code).toBe(0);
  });
});

describe("the token", () => {
  const token = "hf_secretsecretsecret";

  it("goes to the hub, never along a redirect, never into the output", async () => {
    const storage = await hubWith({ file: "elsewhere" });
    const hub = await hubWith({
      fault: (request, response) => {
        if (!isDownload(request.url)) return false;
        redirect(response, `${storage.url.replace("127.0.0.1", "localhost")}/storage/elsewhere`);
        return true;
      },
    });
    const result = await runCli(["models", "pull", "arch-router", "--accept-license", "-v"], {
      env: place(hub, { HF_TOKEN: token }).env,
    });
    expect(result.code).toBe(0);
    expect(hub.seen.every(({ authorization }) => authorization === `Bearer ${token}`)).toBe(true);
    expect(storage.seen).toHaveLength(1);
    expect(storage.seen[0]?.authorization).toBeUndefined();
    expect(result.stdout + result.stderr).not.toContain(token);
  });

  it("does not come back to the hub by a redirect either", async () => {
    const hub = await hubWith();
    await pull(place(hub, { HF_TOKEN: token }).env);
    expect(hub.seen.find(({ path }) => path.startsWith("/storage/"))?.authorization).toBeUndefined();
  });

  it("is not shown when it is refused", async () => {
    const hub = await hubWith({
      fault: (_, response) => {
        response.writeHead(401).end();
        return true;
      },
    });
    const result = await runCli(["models", "pull", "arch-router", "--accept-license", "-v"], {
      env: place(hub, { HF_TOKEN: token }).env,
    });
    expect(result).toMatchObject({ code: 5, stderr: expect.stringMatching(/is not valid/) });
    expect(result.stderr).not.toContain(token);
  });

  it.each(["HF_TOKEN_PATH", "HF_HOME", "XDG_CACHE_HOME", "HOME"])("is read from the place of %s", async (variable) => {
    const hub = await hubWith();
    const folder = temporaryFolder();
    const files = {
      HF_TOKEN_PATH: "t",
      HF_HOME: "token",
      XDG_CACHE_HOME: "huggingface/token",
      HOME: ".cache/huggingface/token",
    };
    const file = join(folder, files[variable as keyof typeof files]);
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, `${token}\n`);
    const env = { ...place(hub).env, [variable]: variable === "HF_TOKEN_PATH" ? file : folder };
    await pull(variable === "HOME" ? { ...env, XDG_CACHE_HOME: "" } : env);
    expect(hub.seen[0]?.authorization).toBe(`Bearer ${token}`);
  });

  it("is not sent if it would break the header", async () => {
    const hub = await hubWith();
    expect((await pull(place(hub, { HF_TOKEN: "a\r\nx: y" }).env)).code).toBe(0);
    expect(hub.seen[0]?.authorization).toBeUndefined();
  });
});

describe("a real process", () => {
  const half = 200_000;
  /** Sends half of what is asked for and then nothing, the first time. */
  const stuck: HubFiles["fault"] = (request, response, count) => {
    if (!request.url?.startsWith("/storage/") || count > 0) return false;
    response
      .writeHead(200, { etag: `"${sha256Of(bytes)}"`, "content-length": bytes.length })
      .write(bytes.subarray(0, half));
    return true;
  };
  const start = (env: Record<string, string>) => {
    const child = spawn(process.execPath, [bin, "models", "pull", "arch-router", "--accept-license"], { env });
    children.push(child);
    return child;
  };
  const partOf = (models: string) =>
    existsSync(models) ? readdirSync(models).find((name) => name.endsWith(".part")) : undefined;
  const untilHalf = async (models: string) => {
    for (;;) {
      const part = partOf(models);
      if (part !== undefined && statSync(join(models, part)).size === half) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };

  it("that is killed leaves no half file, and the next one goes on", async () => {
    const hub = await hubWith({ fault: stuck });
    const { env, models } = place(hub);
    const child = start(env);
    await untilHalf(models);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(existsSync(join(models, FILE))).toBe(false);
    const [code] = await once(start(env), "exit");
    expect(code).toBe(0);
    expect(hub.downloads().at(-1)?.range).toBe(`bytes=${half}-`);
    expect(readFileSync(join(models, FILE)).equals(bytes)).toBe(true);
    expect(readdirSync(models).sort()).toEqual([FILE, `${FILE}.json`]);
  });

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("ends with its signal's code on %s, and keeps what is there", async (signal, expected) => {
    const { env, models } = place(await hubWith({ fault: stuck }));
    const child = start(env);
    await untilHalf(models);
    child.kill(signal);
    const [code] = await once(child, "exit");
    expect(code).toBe(expected);
    expect(partOf(models)).toBeDefined();
  });

  it("that may not write such a large file ends with 5 and leaves nothing", async () => {
    const { env, models } = place(await hubWith());
    const command = `ulimit -f 100; exec "${process.execPath}" "${bin}" models pull arch-router --accept-license`;
    const child = spawn("bash", ["-c", command], { env: { ...env, PATH: process.env["PATH"] ?? "" } });
    let stderr = "";
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
    });
    const [code] = await once(child, "exit");
    expect({ code, stderr }).toMatchObject({ code: 5, stderr: expect.stringMatching(/cannot be written/) });
    expect(readdirSync(models)).toEqual([]);
  });

  it("whose disk fills up ends with 5 and leaves nothing", async ({ skip }) => {
    const disk = temporaryFolder();
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=80m,mode=700", "tmpfs", disk], { stdio: "ignore" });
    } catch {
      return skip("a small disk can only be made by root");
    }
    try {
      const fill: HubFiles["fault"] = (request) => {
        if (request.url?.startsWith("/storage/")) fillUp(join(disk, "filler"));
        return false;
      };
      const { env } = place(await hubWith({ fault: fill }), { XDG_CACHE_HOME: disk });
      const { code, stderr } = await pull(env);
      expect({ code, stderr }).toMatchObject({ code: 5, stderr: expect.stringMatching(/no space left/) });
      expect(readdirSync(join(disk, "arch-route", "models"))).toEqual([]);
    } finally {
      execFileSync("umount", ["-l", disk]);
    }
  });
});

function fillUp(path: string): void {
  try {
    writeFileSync(path, Buffer.alloc(100 << 20));
  } catch {
    // That is the point.
  }
}
