import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "./run-cli.js";

/** A metadata value as bytes: its type, then what it holds. */
export type GgufBytes = Buffer;

const kinds = { u8: 0, i8: 1, u16: 2, i16: 3, u32: 4, i32: 5, f32: 6, bool: 7, u64: 10, i64: 11, f64: 12 } as const;
type Kind = keyof typeof kinds;
const STRING = 8;
const ARRAY = 9;

export const u32 = (value: number): Buffer => payload("u32", value);
export const u64 = (value: number | bigint): Buffer => payload("u64", value);
/** A length, then the bytes: as names and texts are written. `length` may lie. */
export const text = (value: string, length?: bigint): Buffer =>
  Buffer.concat([u64(length ?? Buffer.byteLength(value)), Buffer.from(value)]);

/** One number or boolean. */
export const scalar = (kind: Kind, value: number | bigint | boolean): GgufBytes =>
  Buffer.concat([u32(kinds[kind]), payload(kind, value)]);
export const string = (value: string, length?: bigint): GgufBytes => Buffer.concat([u32(STRING), text(value, length)]);
/** Numbers of one kind. `length` may lie. */
export const numbers = (kind: Kind, values: readonly number[], length?: bigint): GgufBytes =>
  array(
    kinds[kind],
    values.map((value) => payload(kind, value)),
    length,
  );
export const strings = (values: readonly string[], length?: bigint): GgufBytes =>
  array(
    STRING,
    values.map((value) => text(value)),
    length,
  );
/** An array of anything, of types that do not exist too. */
export const array = (type: number, items: readonly Buffer[], length?: bigint): GgufBytes =>
  Buffer.concat([u32(ARRAY), u32(type), u64(length ?? items.length), ...items]);

export interface GgufTensor {
  readonly name: string;
  readonly dimensions: readonly (number | bigint)[];
  /** ggml's number of the type; default: 0, float32. */
  readonly type?: number;
  /** Default: after the tensor before it. */
  readonly offset?: number | bigint;
  /** Default: zeros for a float32 tensor. */
  readonly data?: Buffer;
}

export interface GgufFile {
  readonly version?: number;
  readonly metadata?: readonly (readonly [key: string, value: GgufBytes])[];
  readonly tensors?: readonly GgufTensor[];
  readonly alignment?: number;
  /** Counts to write in place of the true ones. */
  readonly tensorCount?: bigint;
  readonly pairCount?: bigint;
}

/** A GGUF file, sound or, by its overrides, not. */
export function ggufBytes({ version = 3, metadata = [], tensors = [], alignment = 32, ...counts }: GgufFile): Buffer {
  const parts = [
    Buffer.from("GGUF"),
    u32(version),
    u64(counts.tensorCount ?? tensors.length),
    u64(counts.pairCount ?? metadata.length),
    ...metadata.flatMap(([key, value]) => [text(key), value]),
  ];
  const data: Buffer[] = [];
  let end = 0;
  for (const { name, dimensions, type = 0, offset, data: given } of tensors) {
    const bytes = given ?? Buffer.alloc(4 * dimensions.reduce((product: number, size) => product * Number(size), 1));
    const padding = -bytes.length & (alignment - 1);
    parts.push(text(name), u32(dimensions.length), ...dimensions.map(u64), u32(type), u64(offset ?? end));
    data.push(bytes, Buffer.alloc(padding));
    end += bytes.length + padding;
  }
  const header = Buffer.concat(parts);
  return Buffer.concat([header, Buffer.alloc(-header.length & (alignment - 1)), ...data]);
}

/** Writes a file into a folder of its own; returns its path. */
export function writeFile(content: string | Buffer, name = "model.gguf"): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, content);
  return path;
}

function payload(kind: Kind, value: number | bigint | boolean): Buffer {
  const bytes = Buffer.alloc(8);
  const whole = () => BigInt(value);
  switch (kind) {
    case "f32":
      return bytes.subarray(0, bytes.writeFloatLE(Number(value)));
    case "f64":
      return bytes.subarray(0, bytes.writeDoubleLE(Number(value)));
    case "u64":
      return bytes.subarray(0, bytes.writeBigUInt64LE(whole()));
    case "i64":
      return bytes.subarray(0, bytes.writeBigInt64LE(whole()));
    case "i8":
    case "i16":
    case "i32":
      return bytes.subarray(0, bytes.writeIntLE(Number(value), 0, Number(kind.slice(1)) / 8));
    default:
      return bytes.subarray(0, bytes.writeUIntLE(Number(value), 0, kind === "bool" ? 1 : Number(kind.slice(1)) / 8));
  }
}
