import type { Writable } from "node:stream";
import { Box, render, Text } from "ink";
import { printable } from "../core/printable.js";

/** What a batch has done so far. */
export interface Tally {
  readonly records: number;
  readonly failed: number;
  readonly unsure: number;
  /** Records a route, `other` among them. */
  readonly routes: ReadonlyMap<string, number>;
  readonly seconds: number;
}

export interface Progress {
  update(tally: Tally): void;
  /** Takes the display away again. */
  close(): void;
}

const MOST_ROUTES = 5;

/** One line on how far a batch is, and the share of the most frequent routes. */
export function Status({ tally, colour }: { readonly tally: Tally; readonly colour: boolean }) {
  const { records, failed, unsure, seconds } = tally;
  const rate = seconds > 0 ? (records / seconds).toFixed(records / seconds < 10 ? 1 : 0) : "0";
  const most = [...tally.routes].sort((a, b) => b[1] - a[1]).slice(0, MOST_ROUTES);
  return (
    <Box flexDirection="column">
      <Text>
        {records.toLocaleString("en")} records · {rate}/s
        {unsure > 0 ? ` · ${unsure} unsure` : ""}
        {failed > 0 ? <Text {...(colour && { color: "red" })}> · {failed} failed</Text> : ""}
      </Text>
      <Text dimColor={colour}>
        {most.map(([route, count]) => `${printable(route)} ${Math.round((100 * count) / records)} %`).join("  ")}
      </Text>
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
