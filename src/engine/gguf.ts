import { closeSync, fstatSync, openSync } from "node:fs";
import { ArchRouteError } from "../core/errors.js";
import { BrokenGguf, GgufReader, valueBytes } from "./gguf-reader.js";

/** What the header of a GGUF file says, as far as we ask. Numbers are plain, arrays are kept under `arch_route.` only. */
export interface GgufHeader {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** The vocabulary has ChatML's `<|im_start|>` and `<|im_end|>`. */
  readonly chatml: boolean;
  /** Bytes of the file. */
  readonly size: number;
}

type GgufValue = string | number | boolean | readonly number[];

// Value types of the format (ggml-org/ggml docs/gguf.md): 8 is a string, 9 an array.
const U32 = 4;
const STRING = 8;
const ARRAY = 9;

// ggml tensor types: [elements a block, bytes a block] (ggml.h, ggml-common.h).
const tensorBlocks = new Map<number, readonly [number, number]>([
  [0, [1, 4]],
  [1, [1, 2]],
  [2, [32, 18]],
  [3, [32, 20]],
  [6, [32, 22]],
  [7, [32, 24]],
  [8, [32, 34]],
  [9, [32, 36]],
  [10, [256, 84]],
  [11, [256, 110]],
  [12, [256, 144]],
  [13, [256, 176]],
  [14, [256, 210]],
  [15, [256, 292]],
  [16, [256, 66]],
  [17, [256, 74]],
  [18, [256, 98]],
  [19, [256, 50]],
  [20, [32, 18]],
  [21, [256, 110]],
  [22, [256, 82]],
  [23, [256, 136]],
  [24, [1, 1]],
  [25, [1, 2]],
  [26, [1, 4]],
  [27, [1, 8]],
  [28, [1, 8]],
  [29, [256, 56]],
  [30, [1, 2]],
]);

// Types newer than this list: none takes less than a bit an element.
const unknownBlock = [1, 1 / 8] as const;

const KEPT = "arch_route.";
/** Numbers that are kept of one file; the routing head has a few thousand. */
const MOST_NUMBERS = 1 << 20;
/** Texts of one list; the largest vocabularies have 262,144 tokens and twice as many merges. */
const MOST_TEXTS = 1 << 22;
/** Tensors or metadata entries of one file; the largest models have a few thousand. */
const MOST_THINGS = 1 << 16;

/**
 * Reads a header and checks every count, length and offset in it against the file's real size, so that no crafted or
 * cut file reaches native code, which trusts them. Throws E_MODEL.
 */
export function readGgufHeader(path: string): GgufHeader {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    throw new ArchRouteError("E_MODEL", `model ${path}: ${missing ? "no such file" : (cause as Error).message}`, {
      cause,
    });
  }
  try {
    const stats = fstatSync(file);
    if (!stats.isFile()) throw new BrokenGguf("it is not a file");
    return parseHeader(new GgufReader(file, stats.size));
  } catch (cause) {
    if (!(cause instanceof BrokenGguf)) throw cause;
    throw new ArchRouteError("E_MODEL", `model ${path}: not a usable GGUF file: ${cause.message}`, {
      hint: "download it again",
      cause,
    });
  } finally {
    closeSync(file);
  }
}

function parseHeader(reader: GgufReader): GgufHeader {
  if (reader.size < 24) throw new BrokenGguf(`it has ${reader.size} bytes`);
  if (reader.text(4) !== "GGUF") throw new BrokenGguf("it does not begin with GGUF");
  const version = reader.u32();
  if (version !== 2 && version !== 3) throw new BrokenGguf(`its version is ${version}`);
  // The least that a tensor and a pair can take: an empty name, no dimensions.
  const tensors = reader.count(8 + 4 + 4 + 8, "tensors", MOST_THINGS);
  const pairs = reader.count(8 + 1 + 4 + 1, "metadata entries", MOST_THINGS);
  const metadata = new Map<string, GgufValue>();
  const keys = new Set<string>();
  let chatml = false;
  let room = MOST_NUMBERS;
  for (let index = 0; index < pairs; index++) {
    const key = reader.string();
    if (key === "" || key.length > 0xffff) throw new BrokenGguf(`metadata entry ${index} has no proper name`);
    // Native code and we could take different ones of the two.
    if (keys.has(key)) throw new BrokenGguf(`metadata entry ${index} is there twice`);
    keys.add(key);
    const type = reader.u32();
    if (key === "general.alignment" && type !== U32) throw new BrokenGguf("its alignment is not a u32");
    if (key === "tokenizer.ggml.tokens" && type === ARRAY) chatml = readVocabulary(reader);
    else {
      const value = readValue(reader, type, key.startsWith(KEPT) ? room : 0);
      if (typeof value === "object") room -= value.length;
      if (value !== undefined) metadata.set(key, value);
    }
  }
  checkTensors(reader, tensors, metadata.get("general.alignment") ?? 32);
  return { metadata, chatml, size: reader.size };
}

function readVocabulary(reader: GgufReader): boolean {
  if (reader.u32() !== STRING) throw new BrokenGguf("its vocabulary is not text");
  const wanted = new Set(["<|im_start|>", "<|im_end|>"]);
  for (let left = reader.count(8, "vocabulary entries", MOST_TEXTS); left > 0; left--) {
    const bytes = reader.length("a token");
    // Only texts of these lengths are worth decoding.
    if (bytes === 12 || bytes === 10) wanted.delete(reader.text(bytes));
    else reader.skip(bytes);
  }
  return wanted.size === 0;
}

function readValue(reader: GgufReader, type: number, room: number): GgufValue | undefined {
  if (type === STRING) return reader.string();
  if (type === ARRAY) return readArray(reader, room);
  return reader.scalar(type);
}

/** An array of numbers, if there is room for so many; undefined for any other. */
function readArray(reader: GgufReader, room: number): readonly number[] | undefined {
  const type = reader.u32();
  if (type === ARRAY) throw new BrokenGguf("it has an array of arrays");
  if (type === STRING) {
    for (let left = reader.count(8, "array entries", MOST_TEXTS); left > 0; left--)
      reader.skip(reader.length("a text"));
    return undefined;
  }
  const bytes = valueBytes[type];
  if (bytes === undefined) throw new BrokenGguf(`it has a value of unknown type ${type}`);
  const length = reader.count(bytes, "array entries");
  if (room === 0 || length > room) {
    reader.skip(length * bytes);
    return undefined;
  }
  return Array.from({ length }, () => Number(reader.scalar(type)));
}

function checkTensors(reader: GgufReader, tensors: number, alignment: GgufValue): void {
  if (typeof alignment !== "number" || alignment < 1 || alignment > 1 << 20 || (alignment & (alignment - 1)) !== 0) {
    throw new BrokenGguf(`its alignment is ${alignment}`);
  }
  let end = 0;
  for (let index = 0; index < tensors; index++) {
    const name = reader.string();
    const dimensions = reader.u32();
    if (dimensions > 4) throw new BrokenGguf(`tensor ${index} has ${dimensions} dimensions`);
    let elements = 1;
    for (let axis = 0; axis < dimensions; axis++) elements *= reader.u64();
    const type = reader.u32();
    const offset = reader.u64();
    const [perBlock, blockBytes] = tensorBlocks.get(type) ?? unknownBlock;
    if (name === "" || elements < 1 || elements % perBlock !== 0 || offset % alignment !== 0) {
      throw new BrokenGguf(`tensor ${index} is malformed`);
    }
    end = Math.max(end, offset + (elements / perBlock) * blockBytes);
  }
  const start = Math.ceil(reader.position / alignment) * alignment;
  if (start + end > reader.size) {
    throw new BrokenGguf(`it is cut off: ${start + end} bytes are announced, ${reader.size} are there`);
  }
}
