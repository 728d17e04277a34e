import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { aliasScript, aliasShells, type Completion, completionScript, completionShells } from "../../src/ui/shell.js";

const completion: Completion = {
  commands: [
    ["routes", "the route set's [names]: all"],
    ["config", "print 'it' \\ all"],
  ],
  subcommands: new Map([["routes", ["list", "check"]]]),
  options: [
    { long: "--json", description: "print JSON" },
    { long: "--output", short: "-o", description: "a file: it's [new]", value: "file" },
    { long: "--gpu", description: "where", value: { words: ["auto", "off"] } },
    { long: "--model", short: "-m", description: "which", value: { ask: "models" } },
    { long: "--top", description: "how many", value: "any" },
  ],
};

describe("completionScript", () => {
  it.each(completionShells)("knows all there is for %s, each by its name", (shell) => {
    const text = completionScript(shell, completion);
    for (const word of ["routes", "config", "list", "check", "json", "output", "gpu", "model", "top"]) {
      expect(text).toContain(word);
    }
    expect(text).not.toMatch(/undefined|\[object/);
  });

  it.each(["bash", "zsh"])("is a script that %s can read, whatever the descriptions", (shell) => {
    expect(can(shell)).toSatisfy(
      (there: boolean) => !there || parses(shell, completionScript(shell as "bash", completion)),
    );
  });

  it("asks the program for models only when it is used", () => {
    for (const shell of completionShells) {
      expect(completionScript(shell, completion)).toContain("arch-route completion --list models");
    }
  });

  it("quotes what powershell would read", () => {
    const text = completionScript("powershell", { ...completion, commands: [["it's", ""]] });
    expect(text).toContain("'it''s'");
  });
});

describe("aliasScript", () => {
  it.each(aliasShells)("is one function for %s that hands everything on", (shell) => {
    const text = aliasScript(shell);
    expect(text.match(/arch-route -x (?:"\$@"|\$argv)$/gm)).toHaveLength(1);
    expect(text.match(/^function ask/gm)).toHaveLength(1);
  });

  it("keeps zsh from taking a question for a pattern", () => {
    expect(aliasScript("zsh")).toContain("alias ask='noglob ask'");
    expect(aliasScript("bash")).not.toContain("noglob");
  });
});

function can(shell: string): boolean {
  try {
    execFileSync(shell, ["-c", "true"]);
    return true;
  } catch {
    return false;
  }
}

function parses(shell: string, text: string): boolean {
  execFileSync(shell, ["-n"], { input: text });
  return true;
}
