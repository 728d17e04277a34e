import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { inOrder, until } from "../../src/commands/in-order.js";

async function* count(to: number, taken: number[] = []): AsyncGenerator<number> {
  for (let n = 0; n < to; n++) {
    taken.push(n);
    yield n;
  }
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

describe("inOrder", () => {
  it.each([1, 2, 3, 10])("keeps the order, whatever is ready first, with %i at once", async (jobs) => {
    const work = async (n: number) => sleep((n * 7) % 5).then(() => n * 10);
    expect(await all(inOrder(count(8), work, jobs))).toEqual([0, 10, 20, 30, 40, 50, 60, 70]);
  });

  it.each([1, 3])("works on %i at once and takes no more items than that", async (jobs) => {
    let [running, most] = [0, 0];
    const taken: number[] = [];
    const work = async (n: number) => {
      most = Math.max(most, ++running);
      await sleep(3);
      running--;
      return n;
    };
    for await (const n of inOrder(count(9, taken), work, jobs)) expect(taken.length - n).toBeLessThanOrEqual(jobs + 1);
    expect(most).toBe(jobs);
  });

  it("hands a result on while the next item is waited for", async () => {
    async function* stuck(): AsyncGenerator<number> {
      yield 1;
      await new Promise(() => undefined);
    }
    expect((await inOrder(stuck(), async (n) => n, 2).next()).value).toBe(1);
  });

  it("meets a failure when its turn comes", async () => {
    const seen: number[] = [];
    const work = async (n: number) => {
      if (n === 1) throw new Error("oops");
      await sleep(5);
      return n;
    };
    const run = async () => {
      for await (const n of inOrder(count(5), work, 3)) seen.push(n);
    };
    await expect(run()).rejects.toThrow("oops");
    expect(seen).toEqual([0]);
  });
});

describe("until", () => {
  it("hands on all items if there is no signal", async () => {
    expect(await all(until(count(3), undefined))).toEqual([0, 1, 2]);
    expect(await all(until(count(3), new AbortController().signal))).toEqual([0, 1, 2]);
  });

  it("takes nothing after the signal", async () => {
    const controller = new AbortController();
    const taken: number[] = [];
    for await (const n of until(count(9, taken), controller.signal)) if (n === 2) controller.abort();
    expect(taken).toEqual([0, 1, 2]);
    expect(await all(until(count(3), AbortSignal.abort()))).toEqual([]);
  });

  it("does not wait for an item that does not come", async () => {
    async function* stuck(): AsyncGenerator<number> {
      yield 1;
      await new Promise(() => undefined);
    }
    expect(await all(until(stuck(), AbortSignal.timeout(20)))).toEqual([1]);
  });

  it("passes a failure on", async () => {
    async function* broken(): AsyncGenerator<number> {
      yield 1;
      throw new Error("oops");
    }
    await expect(all(until(broken(), new AbortController().signal))).rejects.toThrow("oops");
  });

  it("lets go of the items that are done", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    async function* large(): AsyncGenerator<number[]> {
      for (let n = 0; n < 20_000; n++) yield new Array<number>(200).fill(n);
    }
    collect();
    const before = process.memoryUsage().heapUsed;
    for await (const _ of until(large(), new AbortController().signal)) {
      // Nothing is kept.
    }
    const controller = new AbortController();
    let last = 0;
    for await (const items of until(large(), controller.signal)) {
      if (items[0] !== 19_999) continue;
      collect();
      last = process.memoryUsage().heapUsed;
    }
    expect(last - before).toBeLessThan(8_000_000);
  });
});
