import { readSync } from "node:fs";

/** Why a file is no usable GGUF, in words that go after "not a usable GGUF file:". */
export class BrokenGguf extends Error {}

/** Bytes of each value type of the format, by its number (ggml-org/ggml docs/gguf.md); 0 where the value has its own length. */
export const valueBytes = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];

const CHUNK = 1 << 20;
/** Bytes of the longest header that is read: vocabularies of 260,000 tokens need 15 MB. It bounds time and memory. */
const LONGEST_HEADER = 64 << 20;

/** Little-endian reader over an open file that never reads, skips or allocates past its end. Throws BrokenGguf. */
export class GgufReader {
  position = 0;
  private buffer = Buffer.alloc(0);
  private start = 0;

  constructor(
    private readonly file: number,
    readonly size: number,
  ) {}

  u32(): number {
    const at = this.take(4);
    return this.buffer.readUInt32LE(at);
  }

  /** As a number: exact up to 2^53, and anything larger is refused by whoever compares it with the file's size. */
  u64(): number {
    const at = this.take(8);
    return this.buffer.readUInt32LE(at) + this.buffer.readUInt32LE(at + 4) * 2 ** 32;
  }

  /** A number of things of at least `bytes` each, which must fit into what is left of the file, and be at most `most`. */
  count(bytes: number, what: string, most = Number.POSITIVE_INFINITY): number {
    const count = this.u64();
    if (count > (this.size - this.position) / bytes) {
      throw new BrokenGguf(`it announces ${count} ${what}, more than it can hold`);
    }
    if (count > most) throw new BrokenGguf(`it announces ${count} ${what}, more than any router has`);
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
    const at = this.take(bytes);
    return this.buffer.toString("utf8", at, at + bytes);
  }

  skip(bytes: number): void {
    this.check(bytes);
    this.position += bytes;
  }

  scalar(type: number): number | boolean {
    const length = valueBytes[type] || this.unknown(type);
    const at = this.take(length);
    if (type === 7) return this.buffer[at] !== 0;
    if (type === 6) return this.buffer.readFloatLE(at);
    if (type === 12) return this.buffer.readDoubleLE(at);
    if (type === 10) return Number(this.buffer.readBigUInt64LE(at));
    if (type === 11) return Number(this.buffer.readBigInt64LE(at));
    return type % 2 === 0 ? this.buffer.readUIntLE(at, length) : this.buffer.readIntLE(at, length);
  }

  private unknown(type: number): never {
    throw new BrokenGguf(`it has a value of unknown type ${type}`);
  }

  private check(bytes: number): void {
    if (bytes > this.size - this.position) throw new BrokenGguf("it is cut off within its header");
    if (this.position + bytes > LONGEST_HEADER)
      throw new BrokenGguf(`its header is longer than ${LONGEST_HEADER} bytes`);
  }

  /** Moves on; returns where in `buffer` the bytes passed over begin. */
  private take(bytes: number): number {
    this.check(bytes);
    if (this.position < this.start || this.position + bytes > this.start + this.buffer.length) this.fill(bytes);
    this.position += bytes;
    return this.position - bytes - this.start;
  }

  private fill(bytes: number): void {
    const buffer = Buffer.allocUnsafe(Math.min(Math.max(bytes, CHUNK), this.size - this.position));
    let read = 0;
    while (read < buffer.length) {
      const got = readSync(this.file, buffer, read, buffer.length - read, this.position + read);
      if (got === 0) throw new BrokenGguf("it got shorter while it was read");
      read += got;
    }
    this.buffer = buffer;
    this.start = this.position;
  }
}
