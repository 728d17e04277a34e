import { ArchRouteError } from "../core/errors.js";
import type { EncoderHead } from "./encoder.js";
import type { GgufHeader } from "./gguf.js";

/** The routing head in a GGUF's metadata. `path`: the file's, for the message. Throws E_MODEL. */
export function readHead(path: string, { metadata }: GgufHeader): EncoderHead {
  const number = (key: string) => {
    const value = metadata.get(`arch_route.${key}`);
    if (typeof value !== "number" || !Number.isFinite(value)) throw headError(path, key);
    return value;
  };
  const numbers = (key: string) => {
    const value = metadata.get(`arch_route.${key}`);
    if (!Array.isArray(value) || !value.every(Number.isFinite)) throw headError(path, key);
    return value as readonly number[];
  };
  const flat = numbers("other.directions");
  const offsets = numbers("other.offsets");
  const width = flat.length / offsets.length;
  if (number("other.count") !== offsets.length || !Number.isInteger(width)) throw headError(path, "other.count");
  return {
    scale: number("scale"),
    bias: number("other.bias"),
    directions: offsets.map((_, k) => flat.slice(k * width, (k + 1) * width)),
    offsets,
  };
}

function headError(path: string, key: string): ArchRouteError {
  return new ArchRouteError("E_MODEL", `model ${path}: the routing head has no usable arch_route.${key}`, {
    hint: "export it again with models/training",
  });
}
