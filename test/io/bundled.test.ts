import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  bundledRouteNames,
  bundledRoutes,
  DEFAULT_ROUTES,
  embeddedModel,
  packageVersion,
} from "../../src/io/bundled.js";
import { parseRouteSet } from "../../src/io/config-file.js";

describe("embeddedModel", () => {
  it("has the sha256 that stands in the source", () => {
    const hash = createHash("sha256").update(readFileSync(embeddedModel.path)).digest("hex");
    expect(hash).toBe(embeddedModel.sha256);
  });
});

describe("bundledRouteNames", () => {
  it("has the default set, and not the schema", () => {
    expect(bundledRouteNames()).toContain(DEFAULT_ROUTES);
    expect(bundledRouteNames()).not.toContain("schema");
  });

  it.each(bundledRouteNames())("ships %s as a route set that can be read", (name) => {
    const path = bundledRoutes(name) ?? "";
    expect(parseRouteSet(path, readFileSync(path, "utf8")).routes.length).toBeGreaterThan(1);
  });
});

describe("bundledRoutes", () => {
  it.each(["schema", "nothing", "", "../package", "./coding", "coding.json", "__proto__"])(
    "knows no set of the name %j",
    (name) => {
      expect(bundledRoutes(name)).toBeUndefined();
    },
  );
});

describe("packageVersion", () => {
  it("is the package's", () => {
    expect(packageVersion()).toMatch(/^\d+\.\d+\.\d+/);
  });
});
