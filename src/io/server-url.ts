/** Text → the base address of an API; undefined if it is none. A bare host stands for its /v1, where such servers have it. */
export function readServerUrl(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.search || url.hash) return undefined;
  // It would be printed with the address.
  if (url.username || url.password) return undefined;
  url.pathname = url.pathname === "/" ? "/v1/" : url.pathname.replace(/\/*$/, "/");
  return url;
}

const loopback = /^(127(\.\d+){3}|localhost|\[::1\])$/;

/** Whether an address is one of this machine. */
export function isLoopback({ hostname }: URL): boolean {
  return loopback.test(hostname);
}
