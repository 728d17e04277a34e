import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { type Decision, decide } from "../../src/core/decision.js";
import { commandFault, findTarget, planDispatch, shellQuoted } from "../../src/core/dispatch.js";
import { ArchRouteError } from "../../src/core/errors.js";
import type { RouteSet } from "../../src/core/route.js";

const describedAs = { description: "x" };
const command = ["ollama", "run", "{model}"];
const run = [
  ["claude", "-p"],
  ["ollama", "run", "llama3"],
];

/** What is decided when the route gets this much, `other` the rest. */
const decided = (route: string, probability = 1): Decision =>
  decide(
    [{ name: route, ...describedAs }],
    {
      logProbabilities: [Math.log(probability), Math.log(1 - probability)],
      tokens: { prompt: 1, cached: 0 },
      trimmed: false,
    },
    { minConfidence: 0.6 },
  );
const matched = decided("a");
const other = decided("a", 0);
const unsure = decided("a", 0.55);

describe("findTarget", () => {
  const a = { name: "a", ...describedAs };

  it("is tried with all three outcomes", () => {
    expect([matched, other, unsure].map(({ outcome }) => outcome)).toEqual(["matched", "other", "unsure"]);
  });

  it.each<[string, RouteSet, Decision, ReturnType<typeof findTarget>]>([
    ["nothing for a bare route", { routes: [a] }, matched, {}],
    ["the route's model", { routes: [{ ...a, model: "m" }] }, matched, { model: "m" }],
    ["the route's own commands", { routes: [{ ...a, run }] }, matched, { run }],
    [
      "own commands before the common one",
      { routes: [{ ...a, model: "m", run }], command },
      matched,
      { model: "m", run },
    ],
    [
      "the common command with the model in it",
      { routes: [{ ...a, model: "m" }], command },
      matched,
      { model: "m", run: [["ollama", "run", "m"]] },
    ],
    ["no common command without a model", { routes: [a], command }, matched, {}],
    [
      "the right one of several routes",
      {
        routes: [
          { name: "b", ...describedAs, model: "n" },
          { ...a, model: "m" },
        ],
      },
      matched,
      { model: "m" },
    ],
    [
      "nothing for a route from elsewhere",
      { routes: [{ name: "b", ...describedAs, run }], other: { run } },
      matched,
      undefined,
    ],
    [
      "what is set for other",
      { routes: [{ ...a, run }], other: { model: "o" }, command },
      other,
      { model: "o", run: [["ollama", "run", "o"]] },
    ],
    ["the same for the unsure", { routes: [{ ...a, run }], other: { run: [["echo"]] } }, unsure, { run: [["echo"]] }],
    ["nothing where other has no target", { routes: [{ ...a, run }], command }, other, undefined],
    [
      "nothing where other has no target, for the unsure",
      { routes: [{ ...a, model: "m", run }], command },
      unsure,
      undefined,
    ],
  ])("finds %s", (_, set, decision, target) => {
    expect(findTarget(set, decision)).toEqual(target);
  });

  it.each([
    ["wherever they stand", ["{model}", "--as={route}:{model}", "{model}{model}"], "m", ["m", "--as=a:m", "mm"]],
    [
      "but no others",
      ["{prompt}", "{ model }", "{Model}", "{}", "{__proto__}"],
      "m",
      ["{prompt}", "{ model }", "{Model}", "{}", "{__proto__}"],
    ],
    ["without reading dollars as patterns", ["<{model}>"], "$& $1 $$ $`", ["<$& $1 $$ $`>"]],
    ["once only", ["{model}"], "{route}", ["{route}"]],
    ["each argument staying one", ["{model}"], "a b; rm -rf /", ["a b; rm -rf /"]],
  ])("fills in the placeholders %s", (_, argv, model, filled) => {
    expect(findTarget({ routes: [{ ...a, model }], command: argv }, matched)?.run).toEqual([filled]);
  });

  it("fills in a route's own commands as well, but for the prompt", () => {
    const own = [
      ["echo", "{model}", "--", "{prompt}"],
      ["echo", "{route}"],
    ];
    const filled = [
      ["echo", "m", "--", "{prompt}"],
      ["echo", "a"],
    ];
    expect(findTarget({ routes: [{ ...a, model: "m", run: own }] }, matched)?.run).toEqual(filled);
  });

  it("names other in a command for it", () => {
    const set = { routes: [a], other: { model: "o" }, command: ["run", "{route}"] };
    expect(findTarget(set, other)?.run).toEqual([["run", "other"]]);
    expect(findTarget(set, unsure)?.run).toEqual([["run", "other"]]);
  });
});

const hostile = ["$(touch x)", "`touch x`", "; touch x", "a\ntouch x", "-rf", "--help", "%PATH%", "'\"", "{model}", ""];
const talk = [
  { role: "user", content: "one" },
  { role: "assistant", content: "two" },
  { role: "user", content: "three" },
  { role: "assistant", content: "four" },
] as const;

describe("planDispatch", () => {
  it.each([
    ["prompt", "three"],
    ["transcript", "User: one\n\nAssistant: two\n\nUser: three\n\nAssistant: four\n"],
    ["json", `${JSON.stringify({ messages: talk })}\n`],
    [undefined, "three"],
  ] as const)("gives a command on its standard input, as %s, %j", (mode, input) => {
    expect(planDispatch({ run }, talk, mode)).toEqual([
      { command: "claude", args: ["-p"], input },
      { command: "ollama", args: ["run", "llama3"], input },
    ]);
  });

  it.each([{}, { model: "m" }, { run: [] }])("has nothing to run for %j", (target) => {
    expect(planDispatch(target, talk)).toEqual([]);
  });

  it.each(hostile)("keeps the prompt %j one argument or plain input, whatever it says", (content) => {
    const conversation = [{ role: "user", content }] as const;
    expect(planDispatch({ run: [["cat"], ["echo", "-n", "--", "{prompt}"]] }, conversation)).toEqual([
      { command: "cat", args: [], input: content },
      { command: "echo", args: ["-n", "--", content], input: undefined },
    ]);
  });

  it.each([
    ["a NUL", "a\0b", "E_NUL"],
    ["128 KiB", "x".repeat(128 * 1024), "E_TOO_LONG"],
    ["128 KiB once encoded", "€".repeat(44_000), "E_TOO_LONG"],
  ] as const)("refuses %s as an argument, never on standard input", (_, content, code) => {
    const conversation = [{ role: "user", content }] as const;
    expect(failure(() => planDispatch({ run: [["echo", "--", "{prompt}"]] }, conversation))).toMatchObject({ code });
    expect(planDispatch({ run: [["cat"]] }, conversation)).toEqual([{ command: "cat", args: [], input: content }]);
  });

  it("takes the longest argument there can be", () => {
    const content = "x".repeat(128 * 1024 - 1);
    const [plan] = planDispatch({ run: [["echo", "--", "{prompt}"]] }, [{ role: "user", content }]);
    expect(plan?.args).toEqual(["--", content]);
  });
});

describe("planDispatch, for a conversation that has it all", () => {
  it("leaves the assistant's words out of the prompt", () => {
    const conversation = [
      { role: "user", content: "one" },
      { role: "assistant", content: "two" },
    ] as const;
    expect(planDispatch({ run: [["cat"]] }, conversation)[0]?.input).toBe("one");
  });

  it("checks every command of the chain before the first is run", () => {
    const conversation = [{ role: "user", content: "a\0" }] as const;
    const chain = [["cat"], ["echo", "--", "{prompt}"]];
    expect(failure(() => planDispatch({ run: chain }, conversation))).toMatchObject({
      code: "E_NUL",
      hint: expect.stringContaining("standard input"),
    });
  });

  it("does not fill {model} or {route} into a prompt", () => {
    const conversation = [{ role: "user", content: "{model} {route} $& {prompt}" }] as const;
    const [plan] = planDispatch({ run: [["echo", "--", "{prompt}", "{prompt}"]] }, conversation);
    expect(plan?.args).toEqual(["--", "{model} {route} $& {prompt}", "{model} {route} $& {prompt}"]);
  });
});

describe("commandFault", () => {
  it.each([
    ["no placeholder", ["cat"]],
    ["the prompt after --", ["echo", "--", "{prompt}"]],
    ["the prompt some arguments after --", ["tool", "-x", "--", "to", "{prompt}"]],
    ["other placeholders anywhere", ["{model}", "--model={model}", "{route}"]],
    ["names that only look like a batch file's", ["/bin/bat", "x.cmd", "cmd.exe"]],
  ])("accepts %s", (_, argv) => {
    expect(commandFault(argv)).toBeUndefined();
  });

  it.each([
    ["the prompt before --", ["echo", "{prompt}", "--"], "after --"],
    ["the prompt without --", ["echo", "{prompt}"], "after --"],
    ["the prompt within an argument", ["sh", "-c", "--", "echo {prompt}"], "after --"],
    ["the prompt as the command", ["{prompt}"], "after --"],
    ["-- as the command", ["--", "{prompt}"], "after --"],
    ["a batch file", ["run.cmd"], "batch files"],
    ["a batch file in capitals", ["C:\\RUN.BAT"], "batch files"],
    ["a NUL", ["echo", "a\0b"], "NUL"],
    ["a NUL in the name", ["a\0b"], "NUL"],
  ])("refuses %s", (_, argv, fault) => {
    expect(commandFault(argv)).toContain(fault);
  });
});

const quotings: [string, string[]][] = [
  ["plain words", ["ollama", "run", "qwen2.5:7b"]],
  ["spaces", ["a b", " ", "\t"]],
  ["nothing", [""]],
  ["quotes", ["it's", '"', "'", "'\\''"]],
  [
    "what a shell would run",
    ["$(touch x);`y`", "a && b", "a | b", "a > b", "# c", "!x", "~", "~root", "*", "?", "{a,b}"],
  ],
  ["backslashes", ["\\", "a\\nb", "\\'", "\\\\"]],
  ["line ends", ["a\nb", "\n", "\r\n", "a'\nb\\"]],
  ["control characters", ["\u0001\u001b[31m\u007f", "\u009b1m", "\b\u0007"]],
  ["bidi controls and line separators", ["\u202eabc\u2066", "\u2028\u2029"]],
  ["letters outside ASCII", ["é🙂", "日本 語"]],
  ["digits after a control character", ["\u001b12af", "\nabc"]],
];

describe("shellQuoted", () => {
  it.each([
    ["plain words bare", ["ollama", "run", "qwen2.5:7b"], "ollama run qwen2.5:7b"],
    ["others in quotes", ["echo", "a b", "", "é"], "echo 'a b' '' 'é'"],
    ["a quote outside of them", ["echo", "it's"], "echo 'it'\\''s'"],
    ["a line end as an escape", ["echo", "it's\n"], "echo $'it\\'s\\u000a'"],
  ])("writes %s", (_, [command = "", ...args], text) => {
    expect(shellQuoted({ command, args, input: undefined })).toBe(text);
  });

  it.each(quotings)("is read by bash as it was meant: %s", (_, args) => {
    const text = shellQuoted({ command: "printf", args: ["%s\\0", ...args], input: undefined });
    const read = execFileSync("bash", ["-c", text], { env: { ...process.env, LC_ALL: "C.UTF-8" } });
    expect(String(read).split("\0").slice(0, -1)).toEqual(args);
  });

  it("shows nothing that a terminal would obey, and one line only", () => {
    const args = quotings.flatMap(([, list]) => list);
    expect(shellQuoted({ command: "echo", args, input: undefined })).not.toMatch(/[^ -~é🙂日本語]/u);
    expect(shellQuoted({ command: "echo", args: ["\u202e", "\u2028"], input: undefined })).toMatch(/^[ -~]+$/);
  });
});

function failure(run: () => unknown): ArchRouteError {
  try {
    run();
  } catch (error) {
    if (error instanceof ArchRouteError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
