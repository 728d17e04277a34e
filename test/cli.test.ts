import { describe, expect, it } from "vitest";
import { runCli } from "./helpers/run-cli.js";

describe("run", () => {
  it("prints the route's name and nothing else", async () => {
    expect(await runCli(["fix", "bug_fixing"])).toEqual({ code: 0, stdout: "bug_fixing\n", stderr: "" });
  });
});
