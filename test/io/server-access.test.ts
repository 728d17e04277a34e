import { describe, expect, it } from "vitest";
import { authorization, isOffline, refuseOffline } from "../../src/io/server-access.js";

const KEY = "ARCH_ROUTE_API_KEY";

describe("the key", () => {
  it.each([
    ["https://router.example/v1/", {}],
    ["http://127.0.0.1:8080/v1/", {}],
    ["http://localhost/v1/", {}],
    ["http://[::1]:8080/v1/", {}],
    ["http://10.0.0.7:8000/v1/", { ARCH_ROUTE_API_KEY_OVER_HTTP: "1" }],
  ])("is for %s", (url, env) => {
    expect(authorization(new URL(url), { ...env, [KEY]: "secret" })).toEqual({ authorization: "Bearer secret" });
  });

  it.each(["http://10.0.0.7:8000/v1/", "http://router.example/v1/", "http://localhost.example/v1/"])(
    "is not sent unencrypted to %s, and not shown",
    (url) => {
      const attempt = () => authorization(new URL(url), { [KEY]: "secret", ARCH_ROUTE_API_KEY_OVER_HTTP: "0" });
      expect(attempt).toThrow(expect.objectContaining({ code: "E_CONFIG", hint: expect.stringContaining("https") }));
      expect(attempt).not.toThrow(/secret/);
    },
  );

  it.each(["two words", "line\nX-Evil: 1", "é"])("is not %j", (key) => {
    const attempt = () => authorization(new URL("https://a/"), { [KEY]: key });
    expect(attempt).toThrow(expect.objectContaining({ code: "E_CONFIG" }));
  });

  it.each([undefined, "", "  "])("may be missing (%j)", (key) => {
    expect(authorization(new URL("http://router.example/"), { [KEY]: key })).toEqual({});
  });
});

describe("offline", () => {
  it.each([
    [true, {}, true],
    [false, { ARCH_ROUTE_OFFLINE: "1" }, true],
    [false, { HF_HUB_OFFLINE: "yes" }, true],
    [false, { ARCH_ROUTE_OFFLINE: "0", HF_HUB_OFFLINE: "" }, false],
    [false, {}, false],
  ])("by the flag %s and %j is %s", (flag, env, offline) => {
    expect(isOffline(flag, env)).toBe(offline);
  });

  it("leaves this machine alone", () => {
    const access = { env: {}, offline: true };
    expect(() => refuseOffline(new URL("http://127.0.0.1:1/"), access)).not.toThrow();
    expect(() => refuseOffline(new URL("http://10.0.0.1/"), access)).toThrow(
      /offline: no connection is made to 10\.0\.0\.1/,
    );
    expect(() => refuseOffline(new URL("http://10.0.0.1/"), { ...access, offline: false })).not.toThrow();
  });
});
