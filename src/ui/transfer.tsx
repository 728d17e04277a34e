import type { Writable } from "node:stream";
import { Box, render, Text } from "ink";
import { printable } from "../core/printable.js";
import { createRate, progressText, type Transfer, type TransferView } from "./transfer-lines.js";

/** Columns of the longest bar, and of the figures behind it. */
const WIDTH = 30;
const FIGURES = 50;
/** Milliseconds between two drawings. */
const REDRAW = 100;

interface BarProps {
  readonly transfer: Transfer;
  readonly bytes: number;
  readonly speed: number | undefined;
  readonly colour: boolean;
  /** Of the terminal. */
  readonly columns: number;
}

/** One line: name, bar, figures. */
export function TransferBar({ transfer, bytes, speed, colour, columns }: BarProps) {
  const name = printable(transfer.file);
  const width = Math.max(0, Math.min(WIDTH, columns - name.length - FIGURES));
  const filled = Math.floor((width * bytes) / transfer.size);
  return (
    <Text wrap="truncate">
      {name} <Text {...(colour && { color: "green" })}>{"█".repeat(filled)}</Text>
      <Text dimColor={colour}>{"░".repeat(width - filled)}</Text>{" "}
      {bytes < transfer.size ? progressText(bytes, transfer.size, speed) : "all there, comparing its sha256"}
    </Text>
  );
}

/** Shows a transfer on a terminal (stderr), redrawn in place. */
export function showTransfer(
  transfer: Transfer,
  stream: Writable & { readonly columns?: number },
  colour: boolean,
): TransferView {
  const rate = createRate(Date.now);
  const options = { stdout: stream as NodeJS.WriteStream, exitOnCtrlC: false, patchConsole: false };
  const bar = (bytes: number) => (
    <TransferBar {...{ transfer, bytes, colour }} speed={rate(bytes)} columns={stream.columns ?? 80} />
  );
  const view = render(<Box />, options);
  let drawn = 0;
  return {
    update(bytes) {
      if (Date.now() - drawn < REDRAW && bytes < transfer.size) return;
      drawn = Date.now();
      view.rerender(bar(bytes));
    },
    close() {
      // What is drawn last stays.
      view.rerender(<Box />);
      view.unmount();
    },
  };
}
