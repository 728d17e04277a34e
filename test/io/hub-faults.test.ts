import { describe, expect, it } from "vitest";
import { faultOfCause, faultOfStatus } from "../../src/io/hub-faults.js";

const status = (code: number, headers = {}, token = false) => faultOfStatus(code, headers, { host: "hub", token });
const withCode = (code: string) => Object.assign(new Error("text"), { code });

describe("faultOfStatus", () => {
  it.each([
    [400, false],
    [401, false],
    [403, false],
    [404, false],
    [407, false],
    [408, true],
    [418, false],
    [429, true],
    [500, true],
    [504, true],
  ])("%i may be tried again: %s", (code, again) => {
    expect(status(code).again).toBe(again);
    expect(status(code).message).toMatch(`hub answers ${code}`);
    expect(status(code).hint).toBeTruthy();
  });

  it("tells a missing token from a wrong one", () => {
    expect(status(401).hint).toMatch(/^set HF_TOKEN/);
    expect(status(401, {}, true).hint).toMatch(/not valid/);
  });

  it.each([
    ["3", 3000],
    ["0", undefined],
    ["soon", undefined],
    ["Thu, 01 Jan 1970 00:00:00 GMT", undefined],
  ])("waits for Retry-After %s: %s", (value, wait) => {
    expect(status(429, { "retry-after": value }).wait).toBe(wait);
  });

  it("waits for a Retry-After that is a date", () => {
    const date = new Date(Date.now() + 10_000).toUTCString();
    expect(status(503, { "retry-after": date }).wait).toBeGreaterThan(5000);
  });
});

describe("faultOfCause", () => {
  it.each([
    ["ENOTFOUND", /name is not known/],
    ["ECONNREFUSED", /refuses/],
    ["UND_ERR_BODY_TIMEOUT", /stalled/],
    ["EWHATEVER", /hub: text/],
  ])("%s may be tried again", (code, message) => {
    expect(faultOfCause(withCode(code), "hub")).toMatchObject({ again: true, message });
    expect(faultOfCause(new TypeError("fetch failed", { cause: withCode(code) }), "hub")).toMatchObject({ message });
    expect(faultOfCause(new AggregateError([withCode(code)], "all"), "hub")).toMatchObject({ message });
  });

  it.each([
    "CERT_HAS_EXPIRED",
    "SELF_SIGNED_CERT_IN_CHAIN",
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    "ERR_TLS_CERT_ALTNAME_INVALID",
  ])("%s will not get better by itself", (code) => {
    expect(faultOfCause(withCode(code), "hub")).toMatchObject({ again: false, hint: /NODE_EXTRA_CA_CERTS/ });
  });
});
