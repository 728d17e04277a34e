import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What came in. */
export interface Seen {
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

/** Takes a request instead of the hub; not true: lets the hub answer. `count`: how many came for this path before. */
export type Fault = (
  request: IncomingMessage,
  response: ServerResponse,
  count: number,
  hub: HubServer,
) => boolean | undefined;

export interface HubServer {
  /** Address, without a path: what ARCH_ROUTE_HUB is set to. */
  readonly url: string;
  readonly seen: readonly Seen[];
  /** Requests for the file's bytes. */
  readonly downloads: () => readonly Seen[];
  close(): Promise<void>;
}

export interface HubFiles {
  readonly repository?: string;
  readonly file?: string;
  readonly bytes: Buffer;
  /** What the tree says of the bytes; default: the truth. */
  readonly sha256?: string;
  readonly size?: number;
  /** Default: one made of the bytes. */
  readonly etag?: string;
  readonly cardData?: object;
  readonly fault?: Fault;
}

export const COMMIT = "0123456789abcdef0123456789abcdef01234567";
export const REPOSITORY = "katanemo/Arch-Router-1.5B.gguf";
export const FILE = "Arch-Router-1.5B-Q4_K_M.gguf";
export const sha256Of = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

/** A server on this machine that plays the hub with one repository of one file, and every fault that is asked for. */
export async function startHub(options: HubFiles): Promise<HubServer> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    const { url: path = "", headers } = request;
    const count = seen.filter((one) => one.path === path).length;
    seen.push({ path, range: headers.range, authorization: headers.authorization });
    if (!options.fault?.(request, response, count, hub)) answer(options, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const hub: HubServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    downloads: () => seen.filter(({ path }) => isDownload(path)),
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return hub;
}

/** Whether a path is that of a file's bytes. */
export function isDownload(path = ""): boolean {
  return path.includes("/resolve/") || path.startsWith("/storage/");
}

function answer(options: HubFiles, request: IncomingMessage, response: ServerResponse): void {
  const { repository = REPOSITORY, file = FILE, bytes } = options;
  const cardData = options.cardData ?? { license: "other", license_name: "test-licence" };
  const lfs = { oid: options.sha256 ?? sha256Of(bytes), size: bytes.length };
  const tree = [
    { type: "file", path: "README.md", size: 10, oid: "x" },
    { type: "file", path: file, size: options.size ?? bytes.length, oid: "x", lfs },
  ];
  const answers = new Map([
    [`/api/models/${repository}/revision/main`, () => json(response, { sha: COMMIT, cardData })],
    [`/api/models/${repository}/tree/${COMMIT}`, () => json(response, tree)],
    // As the real one: the bytes are elsewhere.
    [`/${repository}/resolve/${COMMIT}/${file}`, () => redirect(response, `/storage/${file}`)],
    [`/storage/${file}`, () => send(request, response, bytes, options.etag)],
  ]);
  const known = answers.get(request.url ?? "");
  if (known) known();
  else response.writeHead(404).end("Entry not found");
}

export function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
}

export function redirect(response: ServerResponse, location: string): void {
  response.writeHead(302, { location }).end("moved");
}

/** Bytes, or the part of them that is asked for. */
export function send(request: IncomingMessage, response: ServerResponse, bytes: Buffer, etag?: string): void {
  const headers = { etag: etag ?? `"${sha256Of(bytes)}"`, "content-type": "application/octet-stream" };
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? -1);
  if (start >= bytes.length) {
    response.writeHead(416, headers).end("no such range");
    return;
  }
  const part = bytes.subarray(Math.max(0, start));
  const length = { "content-length": part.length };
  if (start < 0) response.writeHead(200, { ...headers, ...length });
  else
    response.writeHead(206, {
      ...headers,
      ...length,
      "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}`,
    });
  response.end(part);
}

/** Sends the first `count` bytes of what is asked for, announcing all of it, and cuts the connection when they have been read. */
export function cut(request: IncomingMessage, response: ServerResponse, bytes: Buffer, count: number): void {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  const headers = { etag: `"${sha256Of(bytes)}"`, "content-length": bytes.length - start };
  const range = { "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` };
  response.writeHead(start > 0 ? 206 : 200, start > 0 ? { ...headers, ...range } : headers);
  response.write(bytes.subarray(start, start + count), () => setTimeout(() => response.destroy(), 100));
}
