import { spawnSync } from "node:child_process";

const names = ["chromium", "chromium-browser", "google-chrome"];

/** Command of a Chromium on this machine; undefined: there is none (Debian: apt-get install -y chromium). */
export const browser = names.find((name) => spawnSync(name, ["--version"]).status === 0);

/** What a page is after its scripts ran, and what the browser's console said. */
export function openPage(url: string): { readonly dom: string; readonly said: readonly string[] } {
  const { stdout, stderr } = spawnSync(
    browser ?? "",
    // No network: every name resolves to nothing.
    [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--host-resolver-rules=MAP * ~NOTFOUND",
      "--enable-logging=stderr",
      "--dump-dom",
      url,
    ],
    { encoding: "utf8", timeout: 60_000, maxBuffer: 1 << 26 },
  );
  return { dom: stdout, said: stderr.split("\n").filter((line) => line.includes("CONSOLE")) };
}
