import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { runCli, temporaryFolder } from "./helpers/run-cli.js";
import { script, userWith } from "./helpers/scripts.js";

// The built program (npm run build) in real shells: apt install zsh fish.
const program = new URL("../bin/arch-route.js", import.meta.url).pathname;
const has = (shell: string) => spawnSync(shell, ["-c", "true"]).status === 0;
const missing = (shell: string) => (has(shell) ? "" : ` (skipped: ${shell} is not installed)`);

const home = temporaryFolder();
const bin = join(home, "bin");
const env = {
  ...process.env,
  ...userWith({
    model: "mini",
    routes: [
      { name: "bug_fixing", description: "Identifying and fixing errors or bugs in the provided code", model: "coder" },
      { name: "cooking", description: "Recipes, ingredients and how to cook a meal", model: "cook" },
    ],
    other: { model: "small" },
    command: ["ollama", "run", "{model}"],
  }),
  HOME: home,
  PATH: `${bin}:${process.env["PATH"]}`,
  LC_ALL: "C.UTF-8",
};
const path = (name: string) => join(home, name);

beforeAll(async () => {
  mkdirSync(bin);
  script(`exec ${process.execPath} ${program} "$@"`, "arch-route", bin);
  script('printf "<%s>" "$@"; printf "\\n"; cat', "ollama", bin);
  for (const shell of ["bash", "zsh", "fish"]) {
    writeFileSync(path(`completion.${shell}`), (await runCli(["completion", shell])).stdout);
    writeFileSync(path(`alias.${shell}`), (await runCli(["alias", shell])).stdout);
  }
  mkdirSync(path("files/some folder"), { recursive: true });
  for (const name of ["my chats.jsonl", "chats.txt", "why", "own-routes.json"])
    writeFileSync(path(`files/${name}`), "");
});

/** Runs a script in a shell; what it prints. */
function inShell(shell: string, body: string, flags: readonly string[] = []): string {
  writeFileSync(path("script"), body);
  return execFileSync(shell, [...flags, path("script")], {
    env,
    cwd: path("files"),
    encoding: "utf8",
    timeout: 50_000,
  });
}

describe.skipIf(!has("bash"))(`completion in bash${missing("bash")}`, () => {
  const complete = (...words: string[]) =>
    inShell(
      "bash",
      `source ${path("completion.bash")}
complete -p arch-route >/dev/null || exit 9
COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}) COMP_CWORD=${words.length - 1}
_arch_route
[ "\${#COMPREPLY[@]}" -eq 0 ] || printf '%s\\n' "\${COMPREPLY[@]}"`,
    )
      .split("\n")
      .slice(0, -1);

  it.each<[string[], string[]]>([
    [["arch-route", "con"], ["config"]],
    [["arch-route", "routes", "im"], ["import"]],
    [["arch-route", "completion", "f"], ["fish"]],
    [
      ["arch-route", "alias", ""],
      ["bash", "zsh", "fish"],
    ],
    [
      ["arch-route", "--ex"],
      ["--explain", "--exec"],
    ],
    [["arch-route", "fix this", "--vers"], ["--version"]],
    [["arch-route", "--gpu", "v"], ["vulkan"]],
    [
      ["arch-route", "--format", "json"],
      ["json", "jsonl"],
    ],
    [["arch-route", "-o", "my"], ["my chats.jsonl"]],
    [
      ["arch-route", "-i", ""],
      ["chats.txt", "my chats.jsonl", "own-routes.json", "some folder", "why"],
    ],
    [["arch-route", "-r", "cod"], ["coding"]],
    [["arch-route", "--routes", "own"], ["own-routes.json"]],
    [["arch-route", "--routes", "=", "cod"], ["coding"]],
    [["arch-route", "--gpu", "=", "v"], ["vulkan"]],
    [["arch-route", "-m", "mi"], ["mini"]],
    [["arch-route", "-m", "arch-router", ":", "q8"], ["q8_0"]],
    [["arch-route", "--top", ""], []],
    [["arch-route", "fix", "con"], []],
  ])("of %j is %j", (words, expected) => {
    expect(complete(...words).sort()).toEqual([...expected].sort());
  });
});

describe.skipIf(!has("fish"))(`completion in fish${missing("fish")}`, () => {
  const complete = (line: string) =>
    inShell("fish", `source ${path("completion.fish")}\ncomplete -C '${line}'\n`, ["--no-config"])
      .split("\n")
      .slice(0, -1)
      .map((candidate) => candidate.split("\t")[0]);

  it.each<[string, string[]]>([
    ["arch-route con", ["config"]],
    ["arch-route routes im", ["import"]],
    ["arch-route alias ", ["bash", "zsh", "fish"]],
    ["arch-route --expl", ["--explain"]],
    ["arch-route --gpu vul", ["vulkan"]],
    ["arch-route --gpu=vul", ["--gpu=vulkan"]],
    ["arch-route -o chats", ["chats.txt"]],
    ["arch-route -r cod", ["coding"]],
    ["arch-route -r own", ["own-routes.json"]],
    ["arch-route -m arch-router:q8", ["arch-router:q8_0"]],
  ])("of %j is %j", (line, expected) => {
    const found = complete(line);
    for (const word of expected) expect(found).toContain(word);
    expect(found.length).toBeLessThanOrEqual(expected.length + 1);
  });
});

describe.skipIf(!has("zsh"))(`completion in zsh${missing("zsh")}`, () => {
  /** What stands on the command line after these keys and Tab, in a shell at a terminal. */
  const complete = (typed: string) =>
    inShell(
      "zsh",
      `zmodload zsh/zpty
print -r -- 'PS1= RPS1=
unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u -D; source ${path("completion.zsh")}
show() { print -r -- "$BUFFER" >$HOME/shown.new; mv $HOME/shown.new $HOME/shown; BUFFER=""; zle accept-line }
zle -N show; bindkey "^G" show; bindkey "^I" complete-word
: >$HOME/ready' >$HOME/zshrc
rm -f $HOME/shown $HOME/ready
zpty z zsh -f -i
zpty -w z "source $HOME/zshrc"
repeat 400; do [[ -e $HOME/ready ]] && break; sleep 0.05; done
sleep 0.2
zpty -w -n z ${JSON.stringify(typed).replaceAll("$", "\\$")}$'\\t\\x07'
repeat 400; do [[ -e $HOME/shown ]] && break; sleep 0.05; zpty -r -t z line; done
cat $HOME/shown
zpty -d z`,
      ["-f"],
    ).trimEnd();

  it.each([
    ["arch-route con", "arch-route config"],
    ["arch-route routes im", "arch-route routes import"],
    ["arch-route alias f", "arch-route alias fish"],
    ["arch-route --expl", "arch-route --explain"],
    ["arch-route --gpu vul", "arch-route --gpu vulkan"],
    ["arch-route -o my", "arch-route -o my\\ chats.jsonl"],
    ["arch-route -r cod", "arch-route -r coding"],
    ["arch-route --routes own", "arch-route --routes own-routes.json"],
    ["arch-route -m arch-router:q8", "arch-route -m arch-router:q8_0"],
  ])("of %j is %j", (typed, expected) => {
    expect(complete(typed)).toBe(expected);
  });
});

describe("ask", () => {
  const prompt = `fix this bug: why does f(*args) fail? it's "broken" $HOME \`date\``;
  const quoted = `'fix this bug: why does f(*args) fail? it'\\''s "broken" $HOME \`date\`'`;
  // fish knows \\' within single quotes, and not '\\''.
  const quotedForFish = quoted.replaceAll("'\\''", "\\'");

  it.skipIf(!has("bash"))(`routes and runs in bash${missing("bash")}`, () => {
    const body = `source ${path("alias.bash")}\nask ${quoted}; echo " = $?"\necho 'def f(): retrn 1' | ask fix this bug`;
    expect(inShell("bash", body)).toBe(`<run><coder>\n${prompt} = 0\n<run><coder>\ndef f(): retrn 1\n\nfix this bug`);
  });

  it.skipIf(!has("zsh"))(`routes and runs in zsh, which takes no ? for a pattern${missing("zsh")}`, () => {
    // Read a second time, as after a change of ~/.zshrc.
    const body = `source ${path("alias.zsh")}\nsource ${path("alias.zsh")}
ask ${quoted}; echo " = $?"\nask fix this bug, w* ?`;
    expect(inShell("zsh", body, ["-f"])).toBe(`<run><coder>\n${prompt} = 0\n<run><coder>\nfix this bug, w* ?`);
  });

  it.skipIf(!has("fish"))(`routes and runs in fish${missing("fish")}`, () => {
    const body = `source ${path("alias.fish")}
ask ${quotedForFish}; echo " = $status"\necho 'def f(): retrn 1' | ask 'fix this bug'`;
    const expected = `<run><coder>\n${prompt} = 0\n<run><coder>\ndef f(): retrn 1\n\nfix this bug`;
    expect(inShell("fish", body, ["--no-config"])).toBe(expected);
  });

  it.skipIf(!has("bash"))("takes options, and hands on the command's exit code", () => {
    script("cat >/dev/null; exit 7", "ollama", bin);
    const body = `source ${path("alias.bash")}\nask --session s 'fix this bug'; echo $?\nask --dry-run 'fix this bug'; echo $?`;
    expect(inShell("bash", body)).toBe("7\nollama run coder\n0\n");
  });
});
