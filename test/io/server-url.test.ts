import { describe, expect, it } from "vitest";
import { isLoopback, readServerUrl } from "../../src/io/server-url.js";

describe("the address of a server", () => {
  it.each([
    ["http://127.0.0.1:8080", "http://127.0.0.1:8080/v1/"],
    ["http://127.0.0.1:8080/", "http://127.0.0.1:8080/v1/"],
    ["https://host/v1", "https://host/v1/"],
    ["https://host/v1//", "https://host/v1/"],
    ["https://host/openai/v1/", "https://host/openai/v1/"],
  ])("%s is %s", (text, url) => {
    expect(readServerUrl(text)?.href).toBe(url);
  });

  it.each([
    "",
    "host:8080",
    "127.0.0.1",
    "ftp://host/",
    "file:///etc/passwd",
    "https://me:secret@host/",
    "https://h/?k=1",
    "https://h/#x",
  ])("%s is none", (text) => {
    expect(readServerUrl(text)).toBeUndefined();
  });
});

describe("this machine", () => {
  it.each(["127.0.0.1", "127.1.2.3", "localhost", "[::1]", "2130706433"])("is %s", (host) => {
    expect(isLoopback(new URL(`http://${host}/`))).toBe(true);
  });

  it.each(["127.0.0.1.example", "localhost.example", "10.0.0.1", "0.0.0.0", "[::2]", "example.org"])(
    "is not %s",
    (host) => {
      expect(isLoopback(new URL(`http://${host}/`))).toBe(false);
    },
  );
});
