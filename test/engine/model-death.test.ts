import { describe, expect, it } from "vitest";
import { ArchRouteError } from "../../src/core/errors.js";
import { faultOfGpu, ModelDeath } from "../../src/engine/model-death.js";

describe("faultOfGpu", () => {
  it.each(["SIGABRT", "SIGSEGV", "SIGBUS", "exit code 134"])("names the GPU on which a process died by %s", (how) => {
    expect(faultOfGpu(new ModelDeath(how, "cuda"))).toBe(
      `gpu cuda: model process died (${how}): running on the CPU; --gpu off spares the attempt`,
    );
  });

  it.each([
    ["a death on the CPU", new ModelDeath("SIGABRT", undefined)],
    ["the memory's guardian", new ModelDeath("SIGKILL", "cuda")],
    ["whoever closed the terminal", new ModelDeath("SIGHUP", "cuda")],
    ["a model that cannot be loaded", new ArchRouteError("E_MODEL", "bad")],
  ])("does not blame it for %s", (_, error) => expect(faultOfGpu(error)).toBeUndefined());
});

it("a death says how, and what to do", () => {
  expect(new ModelDeath("SIGABRT", "cuda")).toMatchObject({
    code: "E_MODEL_DIED",
    message: "model process died (SIGABRT)",
    hint: "if it happens again, try --gpu off or another model",
  });
});
