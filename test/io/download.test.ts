import { randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { download } from "../../src/io/download.js";
import { createHubClient } from "../../src/io/hub-client.js";
import { newPart, tagOf } from "../../src/io/part-file.js";
import {
  COMMIT,
  cut,
  type Fault,
  FILE,
  type HubFiles,
  type HubServer,
  isDownload,
  REPOSITORY,
  redirect,
  send,
  sha256Of,
  startHub,
} from "../helpers/hub-server.js";
import { temporaryFolder } from "../helpers/run-cli.js";

const bytes = randomBytes(300_000);
const patience = { stall: 400, attempts: 3, delay: 5 };
const open: HubServer[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((hub) => hub.close()));
});

interface Outcome {
  readonly hub: HubServer;
  readonly folder: string;
  readonly error: { readonly code?: string; readonly message: string; readonly hint?: string } | undefined;
  readonly progress: readonly number[];
}

/** Fetches from a hub with a fault; whatever happens, the folder has the whole file or none under its name. */
async function fetch(fault: Fault | undefined, more: Partial<HubFiles> & { folder?: string } = {}): Promise<Outcome> {
  const hub = await startHub({ bytes, ...(fault && { fault }), ...more });
  open.push(hub);
  const folder = more.folder ?? join(temporaryFolder(), "models");
  const client = await createHubClient({
    env: { ARCH_ROUTE_HUB: hub.url, HOME: "/dev/null" },
    offline: false,
    patience,
  });
  const progress: number[] = [];
  let error: Outcome["error"];
  const from = `/${REPOSITORY}/resolve/${COMMIT}/${FILE}`;
  const job = { from, folder, file: FILE, size: bytes.length, sha256: more.sha256 ?? sha256Of(bytes), patience };
  try {
    const path = await download(client, { ...job, onProgress: (count) => progress.push(count) });
    expect(path).toBe(join(folder, FILE));
    expect(readFileSync(path).equals(bytes)).toBe(true);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual([FILE]);
  } catch (cause) {
    error = cause as NonNullable<Outcome["error"]>;
    expect(error.code, error.message).toBe("E_DOWNLOAD");
    expect(existsSync(join(folder, FILE))).toBe(false);
  } finally {
    await client.close();
  }
  return { hub, folder, error, progress };
}

/** A fault of the requests for the bytes alone, the first `times` of them. */
const onDownload =
  (fault: (...args: Parameters<Fault>) => unknown, times = Number.POSITIVE_INFINITY): Fault =>
  (request, response, count, hub) => {
    if (!request.url?.startsWith("/storage/") || count >= times) return false;
    fault(request, response, count, hub);
    return true;
  };
const status = (code: number, headers: Record<string, string> = {}): Fault =>
  onDownload((_, response) => response.writeHead(code, headers).end("no"));
const parts = (folder: string) => readdirSync(folder).filter((name) => name.endsWith(".part"));

describe("download", () => {
  it("brings the file, readable to the user alone, in a folder of the user's alone", async () => {
    const { folder, error, progress } = await fetch(undefined);
    expect(error).toBeUndefined();
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(progress.at(-1)).toBe(bytes.length);
  });

  it("goes on where it was cut, ten times", async () => {
    const { hub, error } = await fetch(onDownload((request, response) => cut(request, response, bytes, 29_000), 10));
    expect(error).toBeUndefined();
    const starts = hub.seen.filter(({ path }) => path.startsWith("/storage/")).map(({ range }) => range);
    expect(starts[0]).toBeUndefined();
    expect(starts).toHaveLength(11);
    expect(new Set(starts).size).toBe(11);
  });

  it.each([1, 100, 65_536, 150_000, 299_999])("goes on when it was cut after %i bytes", async (count) => {
    const { hub, error } = await fetch(onDownload((request, response) => cut(request, response, bytes, count), 1));
    expect(error).toBeUndefined();
    expect(hub.downloads().at(-1)?.range).toBe(`bytes=${count}-`);
  });

  it("gives up when it gets no further, and keeps what is there", async () => {
    const fault = onDownload((request, response, count) => cut(request, response, bytes, count === 0 ? 1000 : 0));
    const { hub, folder, error } = await fetch(fault);
    expect(error?.message).toMatch(/the connection was cut|shorter than announced|ended early/);
    expect(hub.seen.filter(({ path }) => path.startsWith("/storage/"))).toHaveLength(patience.attempts);
    expect(parts(folder).map((name) => statSync(join(folder, name)).size)).toEqual([1000]);
    expect(parts(folder).map((name) => statSync(join(folder, name)).mode & 0o777)).toEqual([0o600]);
  });

  it("gives up on a stall", async () => {
    const started = Date.now();
    const { error } = await fetch(
      onDownload((_, response) => void response.writeHead(200, { etag: '"x"' }).write("GGUF")),
    );
    expect(error?.message).toMatch(/stalled/);
    expect(Date.now() - started).toBeLessThan(10_000);
  });

  it("gives up on a server that says nothing", async () => {
    expect((await fetch(onDownload(() => undefined))).error?.message).toMatch(/no answer in time/);
  });

  it("starts over where a server sends all to a Range", async () => {
    const { error, hub } = await fetch(
      onDownload((request, response, count) =>
        count === 0 ? cut(request, response, bytes, 5000) : send({ headers: {} } as typeof request, response, bytes),
      ),
    );
    expect(error).toBeUndefined();
    expect(hub.downloads().at(-1)?.range).toBe("bytes=5000-");
  });

  it.each<[string, (request: Parameters<Fault>[0], response: Parameters<Fault>[1]) => void]>([
    ["416", (_, response) => response.writeHead(416).end("<html>out of range</html>")],
    [
      "a 206 of another range",
      (_, response) =>
        response
          .writeHead(206, { etag: `"${sha256Of(bytes)}"`, "content-range": `bytes 0-9/${bytes.length}` })
          .end("0123456789"),
    ],
    [
      "a 206 of another length",
      (_, response) =>
        response
          .writeHead(206, { etag: `"${sha256Of(bytes)}"`, "content-range": "bytes 5000-9999/10000" })
          .end("x".repeat(5000)),
    ],
    ["a 206 without a range", (_, response) => response.writeHead(206, { etag: `"${sha256Of(bytes)}"` }).end("x")],
    [
      "a 206 of other bytes",
      (_, response) =>
        response
          .writeHead(206, { etag: '"other"', "content-range": `bytes 5000-${bytes.length - 1}/${bytes.length}` })
          .end("x"),
    ],
    [
      "a 206 without an ETag",
      (_, response) =>
        response.writeHead(206, { "content-range": `bytes 5000-${bytes.length - 1}/${bytes.length}` }).end("x"),
    ],
  ])("starts over after %s", async (_, answer) => {
    const { error, hub } = await fetch((request, response, count) => {
      if (!request.url?.startsWith("/storage/") || count > 1) return false;
      if (count === 0) cut(request, response, bytes, 5000);
      else answer(request, response);
      return true;
    });
    expect(error).toBeUndefined();
    expect(hub.downloads().at(-1)?.range).toBeUndefined();
  });

  it.each<[string, Partial<HubFiles>, Fault]>([
    [
      "without an ETag",
      {},
      onDownload(
        (_, response) =>
          void response
            .writeHead(200, { "content-length": bytes.length })
            .write(bytes.subarray(0, 5000), () => response.destroy()),
        1,
      ),
    ],
    [
      "with a weak ETag",
      {},
      onDownload(
        (_, response) =>
          void response
            .writeHead(200, { etag: 'W/"x"', "content-length": bytes.length })
            .write(bytes.subarray(0, 5000), () => response.destroy()),
        1,
      ),
    ],
  ])("does not go on %s", async (_, more, fault) => {
    const { error } = await fetch(fault, more);
    expect(error).toBeUndefined();
  });

  it.each<[string, Fault, RegExp, RegExp]>([
    ["401", status(401), /answers 401/, /HF_TOKEN/],
    ["403", status(403), /answers 403/, /licence/],
    ["404", status(404), /answers 404: there is no such/, /hub/],
    ["407", status(407), /proxy/, /HTTPS_PROXY/],
    ["429", status(429, { "retry-after": "0" }), /too many requests/, /wait/],
    ["500", status(500), /answers 500/, /later/],
    ["503", status(503, { "retry-after": "Thu, 01 Jan 1970 00:00:00 GMT" }), /answers 503/, /later/],
    [
      "a login page",
      onDownload((_, response) =>
        response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end("<html>Sign in</html>"),
      ),
      /web page/,
      /login/,
    ],
    [
      "a compressed file",
      onDownload((_, response) => response.writeHead(200, { "content-encoding": "gzip" }).end("x")),
      /compressed/,
      /later/,
    ],
    [
      "another length",
      onDownload((_, response) => response.writeHead(200, { "content-length": "5" }).end("short")),
      /5 bytes long, not 300000/,
      /later/,
    ],
    [
      "too many bytes",
      onDownload((_, response) => response.writeHead(200).end(Buffer.concat([bytes, bytes]))),
      /more than 300000/,
      /later/,
    ],
    [
      "a redirect loop",
      (request, response) => {
        if (isDownload(request.url)) redirect(response, request.url ?? "");
        return isDownload(request.url);
      },
      /circles/,
      /later/,
    ],
    ["a redirect to nowhere", onDownload((_, response) => response.writeHead(302).end()), /to nowhere/, /login/],
    [
      "a redirect elsewhere",
      onDownload((_, response) => redirect(response, "https://evil.example/x")),
      /to https:\/\/evil\.example/,
      /login/,
    ],
    [
      "a redirect to another host's lookalike",
      onDownload((_, response) => redirect(response, "https://hf.co.evil.example/x")),
      /no place of the hub's/,
      /login/,
    ],
    [
      "a redirect to a file",
      onDownload((_, response) => redirect(response, "file:///etc/passwd")),
      /no place of the hub's/,
      /login/,
    ],
    [
      "a redirect with a name and password",
      onDownload((_, response) => redirect(response, "http://a:b@127.0.0.1:1/x")),
      /no place of the hub's/,
      /login/,
    ],
  ])("ends with advice after %s", async (_, fault, message, hint) => {
    const { error, hub } = await fetch(fault);
    expect(error?.message).toMatch(message);
    expect(error?.hint).toMatch(hint);
    const again = /answers (429|50\d)/.test(error?.message ?? "");
    const asked = hub.seen.filter(({ path }) => path.startsWith("/storage/")).length;
    expect(asked).toBeLessThanOrEqual(again ? patience.attempts : 6);
    if (again) expect(asked).toBe(patience.attempts);
  });

  it("succeeds after a server that was down for a moment", async () => {
    expect((await fetch(onDownload((_, response) => response.writeHead(503).end(), 2))).error).toBeUndefined();
  });

  it("waits as long as it is asked to", async () => {
    const started = Date.now();
    await fetch(onDownload((_, response) => response.writeHead(429, { "retry-after": "1" }).end(), 1));
    expect(Date.now() - started).toBeGreaterThanOrEqual(1000);
  });

  it("removes what has another sha256, and shows both", async () => {
    const { error, folder } = await fetch(undefined, { sha256: sha256Of(Buffer.from("other")) });
    expect(error?.message).toMatch(new RegExp(`${sha256Of(bytes)}, not ${sha256Of(Buffer.from("other"))}`));
    expect(readdirSync(folder)).toEqual([]);
  });

  it("says that nothing listens", async () => {
    const client = await createHubClient({ env: { ARCH_ROUTE_HUB: "http://127.0.0.1:9" }, offline: false, patience });
    const job = { from: "/x", folder: temporaryFolder(), file: FILE, size: 1, sha256: "", patience };
    await expect(download(client, job)).rejects.toMatchObject({ code: "E_DOWNLOAD", message: /refuses connections/ });
    await client.close();
  });
});

describe("what an earlier run left", () => {
  const dead = 2 ** 22 + 1;
  const tag = tagOf(`"${sha256Of(bytes)}"`);
  const leave = (content: Buffer, change: (name: string) => string = (name) => name) => {
    const folder = join(temporaryFolder(), "models");
    mkdirSync(folder, { mode: 0o700 });
    const { path } = newPart(folder, FILE, tag);
    writeFileSync(change(path.replace(`.${process.pid}-`, `.${dead}-`)), content);
    return folder;
  };

  it("is continued if its process is dead", async () => {
    const { hub, error } = await fetch(undefined, { folder: leave(bytes.subarray(0, 12_345)) });
    expect(error).toBeUndefined();
    expect(hub.downloads().map(({ range }) => range)).toEqual(["bytes=12345-", "bytes=12345-"]);
  });

  it("is taken as it is if it was all", async () => {
    const { hub, error } = await fetch(undefined, { folder: leave(bytes) });
    expect(error).toBeUndefined();
    expect(hub.downloads()).toEqual([]);
  });

  it("is thrown away if its bytes are wrong", async () => {
    const wrong = Buffer.from(bytes.subarray(0, 5000));
    wrong[7] = (wrong[7] ?? 0) ^ 1;
    const folder = leave(wrong);
    const { error } = await fetch(undefined, { folder });
    expect(error?.message).toMatch(/its sha256 is/);
    expect(parts(folder)).toEqual([]);
  });

  it("is thrown away if it is too long", async () => {
    const { hub, error } = await fetch(undefined, { folder: leave(Buffer.alloc(bytes.length + 1)) });
    expect(error).toBeUndefined();
    expect(hub.downloads().at(-1)?.range).toBeUndefined();
  });

  it.each<[string, (name: string) => string]>([
    ["belongs to a process that lives", (name) => name.replace(`.${dead}-`, `.${process.ppid}-`)],
    ["belongs to another machine", (name) => name.replace(/\.[0-9a-f]{8}\.(?=\d+-)/, ".00000000.")],
    ["is of another file", (name) => name.replace("Q4_K_M", "Q8_0")],
    ["had no ETag", (name) => name.replace(`.${tag}.`, ".none.")],
  ])("is left alone if it %s", async (_, change) => {
    const folder = leave(bytes.subarray(0, 5000), change);
    const [left] = parts(folder);
    const hub = await startHub({ bytes });
    open.push(hub);
    const client = await createHubClient({ env: { ARCH_ROUTE_HUB: hub.url }, offline: false, patience });
    const from = `/${REPOSITORY}/resolve/${COMMIT}/${FILE}`;
    await download(client, { from, folder, file: FILE, size: bytes.length, sha256: sha256Of(bytes), patience });
    await client.close();
    expect(parts(folder)).toEqual([left]);
    expect(hub.downloads().every(({ range }) => range === undefined)).toBe(true);
  });

  it("is swept after a day, whosever it is", async () => {
    const folder = leave(bytes.subarray(0, 5000), (name) => name.replace("Q4_K_M", "Q8_0"));
    utimesSync(join(folder, parts(folder)[0] ?? ""), 1, 1);
    expect((await fetch(undefined, { folder })).error).toBeUndefined();
  });
});

describe("twenty at once", () => {
  it("all get the file, and leave nothing else", async () => {
    const hub = await startHub({ bytes });
    open.push(hub);
    const folder = join(temporaryFolder(), "models");
    const client = await createHubClient({ env: { ARCH_ROUTE_HUB: hub.url }, offline: false, patience });
    const from = `/${REPOSITORY}/resolve/${COMMIT}/${FILE}`;
    const job = { from, folder, file: FILE, size: bytes.length, sha256: sha256Of(bytes), patience };
    await Promise.all(Array.from({ length: 20 }, () => download(client, job)));
    await client.close();
    expect(readdirSync(folder)).toEqual([FILE]);
    expect(readFileSync(join(folder, FILE)).equals(bytes)).toBe(true);
  });
});

describe("the folder", () => {
  it("is refused if others may write into it", async () => {
    const folder = temporaryFolder();
    chmodSync(folder, 0o777);
    const { error, hub } = await fetch(undefined, { folder });
    expect(error?.message).toMatch(/others may write/);
    expect(error?.hint).toBe(`run chmod go-w '${folder}'`);
    expect(hub.seen).toEqual([]);
  });

  it("is refused if it cannot be made", async () => {
    const file = join(temporaryFolder(), "x");
    writeFileSync(file, "");
    const { error } = await fetch(undefined, { folder: join(file, "models") });
    expect(error?.message).toMatch(/cannot be made/);
  });

  it("is asked for space before anything is fetched", async () => {
    const hub = await startHub({ bytes });
    open.push(hub);
    const client = await createHubClient({ env: { ARCH_ROUTE_HUB: hub.url }, offline: false, patience });
    const job = { from: "/x", folder: temporaryFolder(), file: FILE, size: 2 ** 52, sha256: "", patience };
    await expect(download(client, job)).rejects.toMatchObject({
      code: "E_DOWNLOAD",
      message: /not enough space: \d+ MB needed/,
    });
    expect(hub.seen).toEqual([]);
    await client.close();
  });
});
