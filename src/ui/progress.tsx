import type { Writable } from "node:stream";
import { Box, render, Text } from "ink";
import { formatShares, formatState, type Tally } from "./tally.js";

export interface Progress {
  update(tally: Tally): void;
  /** Takes the display away again. */
  close(): void;
}

/** One line on how far a batch is, and the share of the most frequent routes. */
export function Status({ tally, colour }: { readonly tally: Tally; readonly colour: boolean }) {
  return (
    <Box flexDirection="column">
      <Text>
        {formatState(tally)}
        {tally.failed > 0 ? <Text {...(colour && { color: "red" })}> · {tally.failed} failed</Text> : ""}
      </Text>
      <Text dimColor={colour}>{formatShares(tally)}</Text>
    </Box>
  );
}

/** Shows the status on a terminal (stderr), redrawn in place. */
export function showProgress(stream: Writable, colour: boolean): Progress {
  const options = { stdout: stream as NodeJS.WriteStream, exitOnCtrlC: false, patchConsole: false };
  const empty: Tally = { records: 0, failed: 0, unsure: 0, routes: new Map(), seconds: 0 };
  const view = render(<Status tally={empty} colour={colour} />, options);
  return {
    update: (tally) => view.rerender(<Status tally={tally} colour={colour} />),
    close() {
      view.clear();
      view.unmount();
    },
  };
}
