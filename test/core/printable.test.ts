import { describe, expect, it } from "vitest";
import { excerpt, jsonLine, printable } from "../../src/core/printable.js";

const bidi = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069";
const controls = [...Array(0x20).keys(), ...Array.from({ length: 0x21 }, (_, index) => 0x7f + index)].map((code) =>
  String.fromCharCode(code),
);

describe("printable", () => {
  it.each([
    ["plain text", "fix this bug", "fix this bug"],
    ["tabs and newlines", "a\tb\nc", "a\tb\nc"],
    ["letters, emoji and right-to-left text", "é 你好 🙂👩🏽‍💻 שלום", "é 你好 🙂👩🏽‍💻 שלום"],
  ])("leaves %s alone", (_, text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  it.each([
    ["colours", "\u001b[31mred\u001b[0m", "red"],
    ["colours with parameters", "\u001b[38;2;1;2;3mx\u001b[m", "x"],
    ["cursor moves", "a\u001b[2J\u001b[1;1H\u001b[?25lb", "ab"],
    ["a window title ended by BEL", "a\u001b]0;title\u0007b", "ab"],
    ["a clipboard write (OSC 52)", "a\u001b]52;c;ZXZpbA==\u0007b", "ab"],
    ["a link (OSC 8) ended by ESC \\", "a\u001b]8;;http://evil\u001b\\link\u001b]8;;\u001b\\b", "alinkb"],
    ["an OSC ended by the C1 terminator", "a\u001b]0;title\u009cb", "ab"],
    ["an OSC that never ends", "a\u001b]0;title", "a"],
    ["a device control string", "a\u001bP1$rq\u001b\\b", "ab"],
    ["SOS, PM and APC", "a\u001bXs\u001b\\\u001b^p\u001b\\\u001b_a\u001b\\b", "ab"],
    ["a reset", "a\u001bcb", "ab"],
    ["a lone ESC at the end", "a\u001b", "a"],
    ["ESC before ESC", "a\u001b\u001b[31mb", "ab"],
    ["C1 controls", "a\u009b31mb\u0085c", "a31mbc"],
    ["a carriage return", "good\revil", "goodevil"],
    ["a backspace", "a\bb", "ab"],
    ["NUL and DEL", "a\u0000b\u007f", "ab"],
    ["bidi controls", `a${bidi}b`, "ab"],
  ])("removes %s", (_, text, shown) => {
    expect(printable(text)).toBe(shown);
  });

  it("lets no control character through, wherever it stands", () => {
    for (const control of controls) {
      for (const text of [
        control,
        `a${control}b`,
        `\u001b${control}[31m`,
        `\u001b[${control}31m`,
        `\u001b]${control}0;`,
      ]) {
        expect(printable(text), JSON.stringify(text)).not.toMatch(
          // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
          /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/,
        );
      }
    }
  });

  it("has nothing left to remove from what it gave", () => {
    for (const text of [
      "\u001b\u0000[31mx",
      "\u001b[\u001b[31m31mx",
      "\u001b]\u001b]0;\u0007",
      `\u202e\u001b${bidi}[2J`,
    ]) {
      expect(printable(printable(text))).toBe(printable(text));
    }
  });
});

describe("excerpt", () => {
  it.each([
    ["short text", "hi", 80, "hi"],
    ["text of exactly the limit", "abcde", 5, "abcde"],
    ["longer text", "abcdef", 5, "abcd…"],
    ["lines", "a\n\n  b\tc\u2028d", 80, "a b c d"],
    ["controls", "\u001b[31mred\u001b[0m", 5, "red"],
    ["long text that shows little", `a${"\u0000".repeat(100)}`, 5, "a…"],
    ["emoji", "🙂🙂🙂", 4, "🙂…"],
  ])("quotes %s", (_, text, limit, quoted) => {
    expect(excerpt(text, limit)).toBe(quoted);
  });

  it("is at most 80 characters of a text of any length, whole ones", () => {
    for (const text of ["x".repeat(10_000_000), "🙂".repeat(1000), `x${"🙂".repeat(1000)}`]) {
      const quoted = excerpt(text);
      expect(quoted.length).toBeLessThanOrEqual(80);
      expect(quoted).toMatch(/^x*🙂*…$/u);
    }
  });
});

describe("jsonLine", () => {
  it.each([
    ["an object", { a: 1, b: ["x", null] }, '{"a":1,"b":["x",null]}'],
    ["line breaks", "a\nb\u2028c\u2029", '"a\\nb\\u2028c\\u2029"'],
    ["C0 controls", "\u0000\u001b[31m", '"\\u0000\\u001b[31m"'],
    ["DEL and C1 controls", "\u007f\u0085\u009b", '"\\u007f\\u0085\\u009b"'],
    ["bidi controls", "\u061c\u202e", '"\\u061c\\u202e"'],
    ["keys", { "\u202e": 1 }, '{"\\u202e":1}'],
    ["lone surrogates", "\ud800", '"\\ud800"'],
    ["letters and emoji", "é 你好 🙂", '"é 你好 🙂"'],
  ])("writes %s", (_, value, line) => {
    expect(jsonLine(value)).toBe(line);
  });

  it("is what was meant, on one line of what a terminal shows", () => {
    const value = { [bidi]: controls.join(""), text: `${bidi}\u2028\u2029🙂` };
    expect(JSON.parse(jsonLine(value))).toEqual(value);
    expect(printable(jsonLine(value))).toBe(jsonLine(value));
    expect(jsonLine(value)).not.toMatch(/[\n\t\u2028\u2029]/);
  });
});
