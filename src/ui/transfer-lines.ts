import { printable } from "../core/printable.js";

/** What is being fetched. */
export interface Transfer {
  readonly file: string;
  /** Bytes. */
  readonly size: number;
}

/** Shows how far a transfer is. */
export interface TransferView {
  /** `bytes`: how many are there. May be called as often as there is news. */
  update(bytes: number): void;
  /** Takes the display away, if it can be. */
  close(): void;
}

/** Percent between two lines. */
const STEP = 10;

/** Lines for a log: one at the start of every tenth. `now`: the time in milliseconds. */
export function createTransferLines(
  transfer: Transfer,
  write: (line: string) => void,
  now: () => number = Date.now,
): TransferView {
  const rate = createRate(now);
  let next = 0;
  return {
    update(bytes) {
      const speed = rate(bytes);
      const percent = (100 * bytes) / transfer.size;
      if (percent < next) return;
      next = STEP * (Math.floor(percent / STEP) + 1);
      write(`arch-route: ${printable(transfer.file)}: ${progressText(bytes, transfer.size, speed)}\n`);
    },
    close: () => undefined,
  };
}

/** Bytes there → bytes a second since the first call, undefined at first. What was there before was not transferred now. */
export function createRate(now: () => number): (bytes: number) => number | undefined {
  let start: { readonly time: number; readonly bytes: number } | undefined;
  return (bytes) => {
    start ??= { time: now(), bytes };
    const seconds = (now() - start.time) / 1000;
    return seconds > 0 && bytes > start.bytes ? (bytes - start.bytes) / seconds : undefined;
  };
}

/** "30 %, 296 of 986 MB, 12.0 MB/s, 58 s left"; the last two only when the speed is known. */
export function progressText(bytes: number, size: number, speed: number | undefined): string {
  const parts = [`${Math.floor((100 * bytes) / size)} %`, `${megabytes(bytes)} of ${megabytes(size)} MB`];
  if (speed !== undefined) parts.push(`${(speed / 1e6).toFixed(1)} MB/s`);
  if (speed !== undefined && bytes < size) parts.push(`${duration((size - bytes) / speed)} left`);
  return parts.join(", ");
}

function megabytes(bytes: number): string {
  return Math.round(bytes / 1e6).toString();
}

function duration(seconds: number): string {
  return seconds < 100 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}
