import { describe, expect, it } from "vitest";
import {
  errorOf,
  formatRecordNote,
  hasFailedCommand,
  isUnanswered,
  noteOf,
  parseRecordNote,
  type RecordNote,
} from "../../src/commands/record-note.js";
import { ArchRouteError, type ErrorCode } from "../../src/core/errors.js";
import type { Executed, Result } from "../../src/ui/format.js";
import { routed } from "../helpers/routed.js";

const failed = (code: ErrorCode): Result => ({ line: 1, error: new ArchRouteError(code, "oops") });
const executed = (executed: Executed): Result => ({ ...routed(), executed });
const command = ["sh"];

describe("a note", () => {
  it.each<[string, Result, RecordNote, string]>([
    ["a route", routed(), { outcome: "matched" }, "matched"],
    ["no sure route", routed({ outcome: "unsure" }), { outcome: "unsure" }, "unsure"],
    ["a bad record", failed("E_JSON"), { outcome: "E_JSON" }, "E_JSON"],
    [
      "a command",
      executed({ command, exitCode: 0, signal: undefined }),
      { outcome: "matched", command: "0" },
      "matched 0",
    ],
    [
      "a command that was ended",
      executed({ command, exitCode: 143, signal: "SIGTERM" }),
      { outcome: "matched", command: "143,SIGTERM" },
      "matched 143,SIGTERM",
    ],
    [
      "no command",
      executed({ error: new ArchRouteError("E_CONFIG", "there is none") }),
      { outcome: "matched", command: "E_CONFIG" },
      "matched E_CONFIG",
    ],
  ])("of %s is text and back", (_, result, note, text) => {
    expect(noteOf(result)).toEqual(note);
    expect(formatRecordNote(note)).toBe(text);
    expect(parseRecordNote(text)).toEqual(note);
  });

  it.each([
    ["matched", undefined, false, false],
    ["other 0", undefined, false, false],
    ["matched 3", undefined, true, false],
    ["matched 143,SIGTERM", undefined, true, false],
    ["matched E_CONFIG", undefined, true, false],
    ["E_JSON", "E_JSON", false, false],
    ["E_MODEL_DIED", "E_MODEL_DIED", false, true],
    ["toString", undefined, false, false],
  ])("%s is told by kind", (text, error, command, unanswered) => {
    const note = parseRecordNote(text);
    expect([errorOf(note), hasFailedCommand(note), isUnanswered(note)]).toEqual([error, command, unanswered]);
  });

  it("of a server that does not answer is told as well", () => {
    expect(isUnanswered(parseRecordNote("E_REMOTE"))).toBe(true);
  });
});
