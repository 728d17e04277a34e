import { describe, expect, it } from "vitest";
import { recordId } from "../../src/commands/run.js";
import { ArchRouteError } from "../../src/core/errors.js";
import type { RawRecord } from "../../src/io/input.js";

const record = (text: string, line = 1, source = "a"): RawRecord => ({ source, line, format: "jsonl", text });
const unread = (message: string): RawRecord => ({
  source: "a",
  line: 1,
  format: "jsonl",
  error: new ArchRouteError("E_UTF8", message),
});

describe("recordId", () => {
  it("is the same for the same record, wherever it was read", () => {
    expect(recordId(record("x"))).toMatch(/^[0-9a-f]{64}$/);
    expect(recordId(record("x", 1, "b"))).toBe(recordId(record("x")));
    expect(recordId(unread("byte 7"))).toBe(recordId(unread("byte 7")));
  });

  it("tells records apart by text and by line, and what could not be read by what was wrong with it", () => {
    const records = [record("x"), record("y"), record("x", 2), record(""), unread("byte 7"), unread("byte 8")];
    expect(new Set(records.map(recordId)).size).toBe(records.length);
  });
});
