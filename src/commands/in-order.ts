/**
 * Works on up to `jobs` items at once and yields the results in the items' order, each as soon as it and all before it
 * are there. Takes an item only when there is a place for it, so that memory is bounded by `jobs`.
 */
export async function* inOrder<Item, Result>(
  items: AsyncIterable<Item>,
  work: (item: Item) => Promise<Result>,
  jobs: number,
): AsyncGenerator<Result> {
  const iterator = items[Symbol.asyncIterator]();
  const running: Promise<Result>[] = [];
  let coming: Promise<IteratorResult<Item>> | undefined;
  let ended = false;
  try {
    while (!ended || running.length > 0) {
      if (!ended && running.length < jobs) coming ??= iterator.next();
      const waiting = [running[0]?.then(() => undefined), coming].filter((promise) => promise !== undefined);
      const next = await Promise.race(waiting);
      if (next === undefined) {
        yield await (running.shift() as Promise<Result>);
        continue;
      }
      coming = undefined;
      if (next.done) ended = true;
      else running.push(start(work(next.value)));
    }
  } finally {
    await iterator.return?.();
  }
}

/** A failure is met when its turn comes, not before. */
function start<Result>(result: Promise<Result>): Promise<Result> {
  result.catch(() => undefined);
  return result;
}

/** The items until the signal comes; one that is being waited for is then left behind. */
export async function* until<Item>(items: AsyncIterable<Item>, signal: AbortSignal | undefined): AsyncGenerator<Item> {
  const iterator = items[Symbol.asyncIterator]();
  while (!signal?.aborted) {
    const next = await orAborted(iterator.next(), signal);
    if (next === undefined || next.done) return;
    yield next.value;
  }
}

/** What is promised, or undefined if the signal comes first. A race with one lasting promise would keep all that ran in it. */
function orAborted<Value>(promise: Promise<Value>, signal: AbortSignal | undefined): Promise<Value | undefined> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const giveUp = () => resolve(undefined);
    signal.addEventListener("abort", giveUp, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", giveUp));
  });
}
