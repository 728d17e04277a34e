import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createDispatcher, send } from "../../src/io/connection.js";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
});

async function listen(answer: RequestListener): Promise<URL> {
  const server: Server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
}

function dispatcher(env = {}, stall = 1000) {
  const made = createDispatcher(env, { stall });
  closers.push(() => made.destroy());
  return made;
}

describe("a request", () => {
  it("follows no redirect", async () => {
    const url = await listen((_, response) => response.writeHead(302, { location: "/elsewhere" }).end());
    const response = await send(url, { headers: {}, dispatcher: dispatcher(), signal: undefined });
    expect([response.statusCode, response.headers["location"]]).toEqual([302, "/elsewhere"]);
  });

  it("ends with the signal's reason, also before there is a connection", async () => {
    const reason = new Error("enough");
    const signal = AbortSignal.timeout(50);
    const controller = new AbortController();
    signal.addEventListener("abort", () => controller.abort(reason));
    const url = await listen(() => undefined);
    const sent = send(url, { headers: {}, dispatcher: dispatcher(), signal: controller.signal });
    await expect(sent).rejects.toThrow("enough");
  });

  it("gives up on a server that says nothing", async () => {
    const url = await listen(() => undefined);
    const sent = send(url, { headers: {}, dispatcher: dispatcher({}, 100), signal: undefined });
    await expect(sent).rejects.toMatchObject({ again: true, message: `${url.host}: no answer in time` });
  });
});

describe("a proxy", () => {
  it("of the environment is used, but for what NO_PROXY names", async () => {
    const asked: string[] = [];
    const proxy = await listen((_, response) => response.end("proxy"));
    const url = await listen((request, response) => {
      asked.push(request.url ?? "");
      response.end("direct");
    });
    const read = async (env: object) => {
      const response = await send(url, { headers: {}, dispatcher: dispatcher(env), signal: undefined });
      return await response.body.text();
    };
    expect(await read({ HTTP_PROXY: proxy.href, NO_PROXY: "127.0.0.1" })).toBe("direct");
    await expect(read({ HTTP_PROXY: "http://127.0.0.1:9/" })).rejects.toMatchObject({ again: true });
    expect(asked).toEqual(["/"]);
  });

  it("that is none is an error of the configuration", () => {
    expect(() => createDispatcher({ HTTP_PROXY: "no address" }, { stall: 1 })).toThrow(
      expect.objectContaining({ code: "E_CONFIG" }),
    );
  });
});
