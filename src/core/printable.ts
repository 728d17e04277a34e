const c = String.fromCharCode;
const [ESC, BEL, ST] = [c(0x1b), c(0x07), c(0x9c)];

// ESC [ … letter (CSI); ESC ] P X ^ _ … up to BEL or ST (OSC, DCS, SOS, PM, APC); ESC and one more character.
const escapeSequence = new RegExp(
  `${ESC}(?:\\[[0-?]*[ -/]*[@-~]|[\\]PX^_][^${BEL}${ESC}${ST}]*(?:${BEL}|${ESC}\\\\|${ST})?|[@-Z\\\\-~])?`,
  "g",
);
const bidi = "\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069";
const control = new RegExp(`[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f${bidi}]`, "g");
const notInJson = new RegExp(`[\\u007f-\\u009f\\u2028\\u2029${bidi}]`, "g");

/** Text that is safe on a terminal: escape sequences, control characters (but tab and newline) and bidi controls removed. */
export function printable(text: string): string {
  return text.replace(escapeSequence, "").replace(control, "");
}

/** A quotation for an error message: printable, on one line, at most `limit` characters. */
export function excerpt(text: string, limit = 80): string {
  const line = printable(text.slice(0, limit * 4)).replace(/\s+/g, " ");
  return line.length <= limit && text.length <= limit * 4
    ? line
    : `${line.slice(0, limit - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}

/** JSON.stringify on one line, with everything that a terminal might obey written as `\uXXXX`. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(notInJson, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
