import type { Writable } from "node:stream";
import { Box, render, Text } from "ink";
import { printable } from "../core/printable.js";
import { createRate, progressText, type Transfer, type TransferView } from "./transfer-lines.js";

const WIDTH = 30;
/** Milliseconds between two drawings. */
const REDRAW = 100;

interface BarProps {
  readonly transfer: Transfer;
  readonly bytes: number;
  readonly speed: number | undefined;
  readonly colour: boolean;
}

/** One line: name, bar, figures. */
export function TransferBar({ transfer, bytes, speed, colour }: BarProps) {
  const filled = Math.floor((WIDTH * bytes) / transfer.size);
  return (
    <Box>
      <Text>{printable(transfer.file)} </Text>
      <Text {...(colour && { color: "green" })}>{"█".repeat(filled)}</Text>
      <Text dimColor={colour}>{"░".repeat(WIDTH - filled)}</Text>
      <Text>
        {" "}
        {bytes < transfer.size ? progressText(bytes, transfer.size, speed) : "all there, comparing its sha256"}
      </Text>
    </Box>
  );
}

/** Shows a transfer on a terminal (stderr), redrawn in place. */
export function showTransfer(transfer: Transfer, stream: Writable, colour: boolean): TransferView {
  const rate = createRate(Date.now);
  const options = { stdout: stream as NodeJS.WriteStream, exitOnCtrlC: false, patchConsole: false };
  const bar = (bytes: number) => <TransferBar {...{ transfer, bytes, colour }} speed={rate(bytes)} />;
  const view = render(<TransferBar {...{ transfer, colour }} bytes={0} speed={undefined} />, options);
  let drawn = 0;
  return {
    update(bytes) {
      if (Date.now() - drawn < REDRAW && bytes < transfer.size) return;
      drawn = Date.now();
      view.rerender(bar(bytes));
    },
    close() {
      view.clear();
      view.unmount();
    },
  };
}
