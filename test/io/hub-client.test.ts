import type { AddressInfo } from "node:net";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createHubClient } from "../../src/io/hub-client.js";
import { startHub } from "../helpers/hub-server.js";

const patience = { stall: 400, attempts: 1, delay: 1 };
const closers: (() => unknown)[] = [];

afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
});

async function hub() {
  const server = await startHub({ bytes: Buffer.from("GGUF") });
  closers.push(server.close);
  return server;
}

/** A proxy that opens tunnels; `targets` are what it was asked for. */
async function proxy(): Promise<{ url: string; targets: string[] }> {
  const targets: string[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((client) => {
    sockets.add(client.on("error", () => undefined));
    client.once("data", (head) => {
      const [, target = "", port = ""] = /^CONNECT ([^ :]+):(\d+)/.exec(head.toString()) ?? [];
      targets.push(target);
      const onward = connect(Number(port), target, () => {
        client.write("HTTP/1.1 200 OK\r\n\r\n");
        client.pipe(onward).pipe(client);
      });
      sockets.add(onward.on("error", () => undefined));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, targets };
}

async function ask(env: Record<string, string>): Promise<number> {
  const client = await createHubClient({ env, offline: false, patience });
  closers.push(client.close);
  const response = await client.get("/api/models/katanemo/Arch-Router-1.5B.gguf/revision/main");
  await response.body.dump();
  return response.statusCode;
}

describe("the address of the hub", () => {
  it.each([
    [{}, "https://huggingface.co/"],
    [{ HF_ENDPOINT: "https://hf-mirror.com/" }, "https://hf-mirror.com/"],
    [{ HF_ENDPOINT: "https://hf-mirror.com", ARCH_ROUTE_HUB: "https://example.org/path" }, "https://example.org/"],
    [{ ARCH_ROUTE_HUB: "http://127.0.0.1:8000" }, "http://127.0.0.1:8000/"],
    [{ ARCH_ROUTE_HUB: "http://localhost:8000" }, "http://localhost:8000/"],
    [{ ARCH_ROUTE_HUB: "http://[::1]:8000" }, "http://[::1]:8000/"],
  ])("of %j is %s", async (env, base) => {
    expect((await createHubClient({ env, offline: true, patience })).base.href).toBe(base);
  });

  it.each([
    "http://huggingface.co",
    "http://10.0.0.1",
    "http://127.0.0.1.evil.example",
    "http://localhost.evil.example",
    "ftp://huggingface.co",
    "file:///etc",
    "huggingface.co",
    "https://user:secret@huggingface.co",
    "javascript:1",
  ])("is not %s", async (url) => {
    const refused = createHubClient({ env: { HF_ENDPOINT: url }, offline: true, patience });
    await expect(refused).rejects.toMatchObject({ code: "E_CONFIG", message: expect.not.stringContaining("secret") });
  });
});

describe("proxies", () => {
  it.each(["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])("are taken from %s", async (variable) => {
    const [server, gate] = [await hub(), await proxy()];
    expect(await ask({ ARCH_ROUTE_HUB: server.url, [variable]: gate.url })).toBe(200);
    expect(gate.targets).toEqual(["127.0.0.1"]);
  });

  it.each(["https_proxy", "HTTPS_PROXY", "all_proxy"])("are taken from %s for the real hub", async (variable) => {
    const gate = await proxy();
    const refusing = new URL(gate.url);
    // The tunnel leads to where nothing listens, and this proxy then says nothing: it was asked, and not for ever.
    const asked = ask({ ARCH_ROUTE_HUB: "https://127.0.0.1:9", [variable]: refusing.href });
    await expect(asked).rejects.toMatchObject({ again: true, message: /no answer in time/ });
    expect(gate.targets).toEqual(["127.0.0.1"]);
  });

  it.each(["no_proxy", "NO_PROXY"])("are left out by %s", async (variable) => {
    const [server, gate] = [await hub(), await proxy()];
    expect(await ask({ ARCH_ROUTE_HUB: server.url, http_proxy: gate.url, [variable]: "127.0.0.1" })).toBe(200);
    expect(gate.targets).toEqual([]);
  });

  it("that are none are refused before anything else", async () => {
    const env = { HTTPS_PROXY: "not an address" };
    await expect(createHubClient({ env, offline: false, patience })).rejects.toMatchObject({ code: "E_CONFIG" });
  });

  it("of this process's own environment do not count", async () => {
    const [server, gate] = [await hub(), await proxy()];
    process.env["http_proxy"] = gate.url;
    try {
      expect(await ask({ ARCH_ROUTE_HUB: server.url })).toBe(200);
    } finally {
      delete process.env["http_proxy"];
    }
    expect(gate.targets).toEqual([]);
  });
});
