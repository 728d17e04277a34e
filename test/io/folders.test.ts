import { homedir } from "node:os";
import { describe, expect, it } from "vitest";
import { findFolders } from "../../src/io/folders.js";

const home = { HOME: "/home/me" };
const xdg = { XDG_CONFIG_HOME: "/x/config", XDG_CACHE_HOME: "/x/cache", XDG_STATE_HOME: "/x/state" };

describe("findFolders", () => {
  it("follows the XDG specification's defaults on Linux", () => {
    expect(findFolders(home, "linux")).toEqual({
      config: "/home/me/.config/arch-route",
      cache: "/home/me/.cache/arch-route",
      state: "/home/me/.local/state/arch-route",
    });
  });

  it("uses the Library on macOS", () => {
    expect(findFolders(home, "darwin")).toEqual({
      config: "/home/me/Library/Application Support/arch-route",
      cache: "/home/me/Library/Caches/arch-route",
      state: "/home/me/Library/Application Support/arch-route",
    });
  });

  it("uses APPDATA and LOCALAPPDATA on Windows", () => {
    expect(findFolders({ ...home, APPDATA: "/roaming", LOCALAPPDATA: "/local" }, "win32")).toEqual({
      config: "/roaming/arch-route",
      cache: "/local/Cache/arch-route",
      state: "/local/arch-route",
    });
  });

  it.each(["linux", "darwin", "win32", "freebsd"] as const)("honours XDG variables on %s", (platform) => {
    expect(findFolders({ ...home, ...xdg, APPDATA: "/roaming" }, platform)).toEqual({
      config: "/x/config/arch-route",
      cache: "/x/cache/arch-route",
      state: "/x/state/arch-route",
    });
  });

  it.each(["relative/path", "./here", "~/config", ""])("ignores the XDG variable %j, which is not absolute", (path) => {
    expect(findFolders({ ...home, XDG_CONFIG_HOME: path }, "linux").config).toBe("/home/me/.config/arch-route");
  });

  it.each([{}, { HOME: "" }, { HOME: undefined }])("asks the system for a home folder with %j", (env) => {
    expect(findFolders(env, "linux").config).toBe(`${homedir()}/.config/arch-route`);
  });
});
