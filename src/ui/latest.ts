/**
 * Wraps a slow function so that only one call runs, and only the newest of those that wait follows it; the others resolve to
 * undefined. Whoever types faster than a model answers is not kept waiting for what nobody wants to know any more.
 */
export function latestOnly<Arguments extends readonly unknown[], Result>(
  slow: (...args: Arguments) => Promise<Result>,
): (...args: Arguments) => Promise<Result | undefined> {
  let running: Promise<unknown> = Promise.resolve();
  let newest = 0;
  return (...args) => {
    const mine = ++newest;
    const result = running.then(() => (mine === newest ? slow(...args) : undefined));
    running = result.catch(() => undefined);
    return result;
  };
}
