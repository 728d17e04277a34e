import { describe, expect, it } from "vitest";
import { ArchRouteError } from "../../src/core/errors.js";
import { defaultPatience, TransferFault, withRetries } from "../../src/io/retry.js";

const patience = { stall: 1, attempts: 3, delay: 1 };
const passing = (message = "down") => new TransferFault(message, { again: true });

describe("withRetries", () => {
  it("gives what a try gives", async () => {
    let tries = 0;
    const run = async () => {
      if (++tries < 3) throw passing();
      return "done";
    };
    expect(await withRetries("x", { patience }, run)).toBe("done");
  });

  it("says why it waits, and that it ends", async () => {
    const told: string[] = [];
    const run = withRetries("x", { patience, onRetry: (why) => told.push(why) }, () => Promise.reject(passing()));
    await expect(run).rejects.toMatchObject({
      code: "E_DOWNLOAD",
      message: "x: down",
      hint: "run it again to go on from here",
    });
    expect(told).toEqual(["down", "down"]);
  });

  it("does not try again what cannot get better", async () => {
    let tries = 0;
    const run = withRetries("x", { patience }, () => {
      tries++;
      return Promise.reject(new TransferFault("no", { again: false, hint: "do that" }));
    });
    await expect(run).rejects.toMatchObject({ code: "E_DOWNLOAD", message: "x: no", hint: "do that" });
    expect(tries).toBe(1);
  });

  it("only counts tries that got no further", async () => {
    let [tries, there] = [0, 0];
    const run = async () => {
      if (++tries <= 10) {
        there += 1;
        throw passing();
      }
    };
    await withRetries("x", { patience }, run, () => there);
    expect(tries).toBe(11);
  });

  it("counts one that fell back", async () => {
    let tries = 0;
    const places = [5, 3, 4, 5];
    const run = withRetries(
      "x",
      { patience },
      () => Promise.reject(passing(String(tries++))),
      () => places[tries - 1] ?? 5,
    );
    await expect(run).rejects.toMatchObject({ code: "E_DOWNLOAD" });
    expect(tries).toBe(3);
  });

  it("leaves other errors as they are", async () => {
    const error = new ArchRouteError("E_MODEL", "other");
    await expect(withRetries("x", { patience }, () => Promise.reject(error))).rejects.toBe(error);
  });

  it("ends at once, also while it waits, when it is interrupted", async () => {
    const controller = new AbortController();
    const slow = { ...patience, delay: 60_000 };
    const run = withRetries("x", { patience: slow, signal: controller.signal }, () => Promise.reject(passing()));
    setTimeout(() => controller.abort(130), 20);
    await expect(run).rejects.toBe(130);
  });
});

it("waits half a minute for a byte", () => {
  expect(defaultPatience.stall).toBe(30_000);
});
