import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { ArchRouteError } from "../core/errors.js";

/** What the header of a GGUF file says, as far as we ask. Numbers are plain, arrays are kept under `arch_route.` only. */
export interface GgufHeader {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** The vocabulary has ChatML's `<|im_start|>` and `<|im_end|>`. */
  readonly chatml: boolean;
  /** Bytes of the file. */
  readonly size: number;
}

export type GgufValue = string | number | boolean | readonly number[];

// Value types of the format (ggml-org/ggml docs/gguf.md): bytes of each; 8 is a string, 9 an array.
const valueBytes = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];
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
const MAX_KEPT_ARRAY = 1 << 20;

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
    if (!stats.isFile()) throw new Broken("it is not a file");
    return parseHeader(new Reader(file, stats.size));
  } catch (cause) {
    if (!(cause instanceof Broken)) throw cause;
    throw new ArchRouteError("E_MODEL", `model ${path}: not a usable GGUF file: ${cause.message}`, {
      hint: "download it again",
      cause,
    });
  } finally {
    closeSync(file);
  }
}

class Broken extends Error {}

function parseHeader(reader: Reader): GgufHeader {
  if (reader.size < 24) throw new Broken(`it has ${reader.size} bytes`);
  if (reader.text(4) !== "GGUF") throw new Broken("it does not begin with GGUF");
  const version = reader.u32();
  if (version !== 2 && version !== 3) throw new Broken(`its version is ${version}`);
  // The least that a tensor and a pair can take: an empty name, no dimensions.
  const tensors = reader.count(8 + 4 + 4 + 8, "tensors");
  const pairs = reader.count(8 + 1 + 4 + 1, "metadata entries");
  const metadata = new Map<string, GgufValue>();
  let chatml = false;
  for (let index = 0; index < pairs; index++) {
    const key = reader.string();
    if (key === "" || key.length > 0xffff) throw new Broken(`metadata entry ${index} has no proper name`);
    const type = reader.u32();
    if (key === "general.alignment" && type !== U32) throw new Broken("its alignment is not a u32");
    if (key === "tokenizer.ggml.tokens" && type === ARRAY) chatml = readVocabulary(reader);
    else {
      const value = readValue(reader, type, key.startsWith(KEPT));
      if (value !== undefined) metadata.set(key, value);
    }
  }
  checkTensors(reader, tensors, metadata.get("general.alignment") ?? 32);
  return { metadata, chatml, size: reader.size };
}

function readVocabulary(reader: Reader): boolean {
  if (reader.u32() !== STRING) throw new Broken("its vocabulary is not text");
  const wanted = new Set(["<|im_start|>", "<|im_end|>"]);
  for (let left = reader.count(8, "vocabulary entries"); left > 0; left--) {
    const bytes = reader.length("a token");
    // Only texts of these lengths are worth decoding.
    if (bytes === 12 || bytes === 10) wanted.delete(reader.text(bytes));
    else reader.skip(bytes);
  }
  return wanted.size === 0;
}

function readValue(reader: Reader, type: number, keepArray: boolean): GgufValue | undefined {
  if (type === STRING) return reader.string();
  if (type === ARRAY) return readArray(reader, keepArray);
  return reader.scalar(type);
}

function readArray(reader: Reader, keep: boolean): readonly number[] | undefined {
  const type = reader.u32();
  if (type === ARRAY) throw new Broken("it has an array of arrays");
  if (type === STRING) {
    for (let left = reader.count(8, "array entries"); left > 0; left--) reader.skip(reader.length("a text"));
    return undefined;
  }
  const bytes = valueBytes[type];
  if (bytes === undefined) throw new Broken(`it has a value of unknown type ${type}`);
  const length = reader.count(bytes, "array entries");
  if (!keep || length > MAX_KEPT_ARRAY) {
    reader.skip(length * bytes);
    return undefined;
  }
  return Array.from({ length }, () => Number(reader.scalar(type)));
}

function checkTensors(reader: Reader, tensors: number, alignment: GgufValue): void {
  if (typeof alignment !== "number" || alignment < 1 || alignment > 1 << 20 || (alignment & (alignment - 1)) !== 0) {
    throw new Broken(`its alignment is ${alignment}`);
  }
  let end = 0;
  for (let index = 0; index < tensors; index++) {
    const name = reader.string();
    const dimensions = reader.u32();
    if (dimensions > 4) throw new Broken(`tensor ${index} has ${dimensions} dimensions`);
    let elements = 1;
    for (let axis = 0; axis < dimensions; axis++) elements *= reader.u64();
    const type = reader.u32();
    const offset = reader.u64();
    const [perBlock, blockBytes] = tensorBlocks.get(type) ?? unknownBlock;
    if (name === "" || elements < 1 || elements % perBlock !== 0 || offset % alignment !== 0) {
      throw new Broken(`tensor ${index} is malformed`);
    }
    end = Math.max(end, offset + (elements / perBlock) * blockBytes);
  }
  const start = Math.ceil(reader.position / alignment) * alignment;
  if (start + end > reader.size) {
    throw new Broken(`it is cut off: ${start + end} bytes are announced, ${reader.size} are there`);
  }
}

const CHUNK = 1 << 20;

/** Little-endian reader over an open file that never reads, skips or allocates past its end. */
class Reader {
  position = 0;
  private buffer = Buffer.alloc(0);
  private start = 0;

  constructor(
    private readonly file: number,
    readonly size: number,
  ) {}

  u32(): number {
    return this.take(4).readUInt32LE();
  }

  /** As a number: exact up to 2^53, and anything larger is refused by whoever compares it with the file's size. */
  u64(): number {
    return Number(this.take(8).readBigUInt64LE());
  }

  /** A number of things of at least `bytes` each, which must fit into what is left of the file. */
  count(bytes: number, what: string): number {
    const count = this.u64();
    if (count > (this.size - this.position) / bytes)
      throw new Broken(`it announces ${count} ${what}, more than it can hold`);
    return count;
  }

  /** The length in bytes of a text that follows. */
  length(what: string): number {
    return this.count(1, `bytes of ${what}`);
  }

  string(): string {
    const bytes = this.length("a text");
    if (bytes <= CHUNK) return this.text(bytes);
    // Nothing that we read is that long; templates may be.
    this.skip(bytes);
    return "";
  }

  text(bytes: number): string {
    return this.take(bytes).toString("utf8");
  }

  skip(bytes: number): void {
    if (bytes > this.size - this.position) throw new Broken("it is cut off within its header");
    this.position += bytes;
  }

  scalar(type: number): number | boolean {
    const bytes = this.take(valueBytes[type] || this.unknown(type));
    if (type === 7) return bytes[0] !== 0;
    if (type === 6) return bytes.readFloatLE();
    if (type === 12) return bytes.readDoubleLE();
    if (type === 10) return Number(bytes.readBigUInt64LE());
    if (type === 11) return Number(bytes.readBigInt64LE());
    return type % 2 === 0 ? bytes.readUIntLE(0, bytes.length) : bytes.readIntLE(0, bytes.length);
  }

  private unknown(type: number): never {
    throw new Broken(`it has a value of unknown type ${type}`);
  }

  private take(bytes: number): Buffer {
    if (bytes > this.size - this.position) throw new Broken("it is cut off within its header");
    if (this.position < this.start || this.position + bytes > this.start + this.buffer.length) this.fill(bytes);
    const at = this.position - this.start;
    this.position += bytes;
    return this.buffer.subarray(at, at + bytes);
  }

  private fill(bytes: number): void {
    const buffer = Buffer.allocUnsafe(Math.min(Math.max(bytes, CHUNK), this.size - this.position));
    let read = 0;
    while (read < buffer.length) {
      const got = readSync(this.file, buffer, read, buffer.length - read, this.position + read);
      if (got === 0) throw new Broken("it got shorter while it was read");
      read += got;
    }
    this.buffer = buffer;
    this.start = this.position;
  }
}
