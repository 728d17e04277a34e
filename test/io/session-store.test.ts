import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Folders } from "../../src/io/folders.js";
import { readSession, writeSession } from "../../src/io/session-store.js";
import { temporaryFolder } from "../helpers/run-cli.js";

const DAY = 24 * 60 * 60;
const routes = ["bug_fixing", "api_help", "other"];
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

/** Folders of which nothing is there yet but their parent. */
function freshFolders(): Folders & { readonly sessions: string } {
  const home = temporaryFolder();
  const state = join(home, "state", "arch-route");
  return { config: join(home, "config"), cache: join(home, "cache"), state, sessions: join(state, "sessions") };
}

/** Makes a file that many seconds old. */
function age(path: string, seconds: number): void {
  const then = Date.now() / 1000 - seconds;
  utimesSync(path, then, then);
}

describe("a session", () => {
  it("is remembered by its id, the latest route of it", async () => {
    const folders = freshFolders();
    expect(await readSession(folders, "id:a", routes)).toBeUndefined();
    await writeSession(folders, "id:a", "bug_fixing");
    await writeSession(folders, "id:b", "api_help");
    expect(await readSession(folders, "id:a", routes)).toBe("bug_fixing");
    await writeSession(folders, "id:a", "api_help");
    expect(await readSession(folders, "id:a", routes)).toBe("api_help");
    expect(await readSession(folders, "id:c", routes)).toBeUndefined();
  });

  it.each(["", "../../x", "/etc/passwd", "a/b", "ä\n\0", "__proto__", "x".repeat(100_000)])(
    "may be called %.20j without its file being anywhere else",
    async (id) => {
      const folders = freshFolders();
      await writeSession(folders, id, "bug_fixing");
      expect(await readSession(folders, id, routes)).toBe("bug_fixing");
      expect(readdirSync(folders.sessions)).toEqual([sha256(id)]);
    },
  );

  it("is not on a route that there is no more", async () => {
    const folders = freshFolders();
    await writeSession(folders, "id:a", "bug_fixing");
    expect(await readSession(folders, "id:a", ["api_help"])).toBeUndefined();
    expect(await readSession(folders, "id:a", [])).toBeUndefined();
  });

  it("is nothing but hashes on the disk, which its owner alone can read", async () => {
    const folders = freshFolders();
    const id = "auto:my secret plan, with a password";
    const umask = process.umask(0);
    await writeSession(folders, id, "bug_fixing").finally(() => process.umask(umask));
    const [name = ""] = readdirSync(folders.sessions);
    const path = join(folders.sessions, name);
    expect(name).toBe(sha256(id));
    expect(readFileSync(path, "utf8")).toBe(`${sha256("bug_fixing")}\n`);
    expect((statSync(path).mode & 0o777).toString(8)).toBe("600");
    expect((statSync(folders.sessions).mode & 0o777).toString(8)).toBe("700");
    expect((statSync(folders.state).mode & 0o777).toString(8)).toBe("700");
  });

  it("is forgotten a day after it was used last, and swept out", async () => {
    const folders = freshFolders();
    await writeSession(folders, "id:a", "bug_fixing");
    const path = join(folders.sessions, sha256("id:a"));
    age(path, DAY - 60);
    expect(await readSession(folders, "id:a", routes)).toBe("bug_fixing");
    age(path, DAY + 1);
    expect(await readSession(folders, "id:a", routes)).toBeUndefined();
    writeFileSync(join(folders.sessions, "left-by-a-crash.tmp"), "");
    age(join(folders.sessions, "left-by-a-crash.tmp"), DAY + 1);
    await writeSession(folders, "id:b", "api_help");
    expect(readdirSync(folders.sessions)).toEqual([sha256("id:b")]);
  });

  it.each(["", "x", "../../bug_fixing", sha256("unknown"), "\0".repeat(1000)])(
    "with %.20j in its file is one that was never there",
    async (content) => {
      const folders = freshFolders();
      mkdirSync(folders.sessions, { recursive: true });
      writeFileSync(join(folders.sessions, sha256("id:a")), content);
      expect(await readSession(folders, "id:a", routes)).toBeUndefined();
      await writeSession(folders, "id:a", "bug_fixing");
      expect(await readSession(folders, "id:a", routes)).toBe("bug_fixing");
    },
  );

  it("that many write at once is one of theirs, whole, with nothing left over", async () => {
    const folders = freshFolders();
    await Promise.all(
      routes.slice(0, 2).flatMap((route) => Array.from({ length: 20 }, () => writeSession(folders, "id:a", route))),
    );
    expect(routes).toContain(await readSession(folders, "id:a", routes));
    expect(readdirSync(folders.sessions)).toEqual([sha256("id:a")]);
  });

  it("cannot be written where a file stands in the way, and is then not there", async () => {
    const home = temporaryFolder();
    writeFileSync(join(home, "occupied"), "");
    const folders = { config: home, cache: home, state: join(home, "occupied") };
    await expect(writeSession(folders, "id:a", "bug_fixing")).rejects.toThrow();
    expect(await readSession(folders, "id:a", routes)).toBeUndefined();
  });

  it.skipIf(process.getuid?.() === 0)("cannot be written into a folder that is read-only", async () => {
    const folders = freshFolders();
    mkdirSync(folders.sessions, { recursive: true, mode: 0o500 });
    await expect(writeSession(folders, "id:a", "bug_fixing")).rejects.toThrow();
  });
});
