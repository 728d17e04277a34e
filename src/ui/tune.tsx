import type { Readable, Writable } from "node:stream";
import { Box, render, Text, useApp, useInput, useStdout } from "ink";
import { useEffect, useState, useSyncExternalStore } from "react";
import type { Conversation } from "../core/conversation.js";
import { type Decision, decide } from "../core/decision.js";
import type { Engine, Scores } from "../core/engine.js";
import type { Turn } from "../core/labels.js";
import { printable } from "../core/printable.js";
import { OTHER, type Route } from "../core/route.js";
import { latestOnly } from "./latest.js";
import { actionOf } from "./tune-keys.js";
import { createStore, isUnsaved, startTuning, type TuneState, type TuneStore } from "./tune-state.js";
import { Bars, Conversation as ConversationView, Editor } from "./tune-views.js";

/** What `tune` needs. */
export interface TuneProps {
  readonly routes: readonly Route[];
  /** Misses of an evaluation, to step through. */
  readonly misses: readonly Turn[];
  readonly rank: Engine["rank"];
  /** Writes the descriptions; resolves to what is to be said of it. */
  readonly save: (routes: readonly Route[]) => Promise<string>;
  readonly colour: boolean;
}

const LEAST = { columns: 60, rows: 16 };
/** Milliseconds without a key before the model is asked. */
const PAUSE = 60;

/** The whole screen of `tune`. */
export function Tune({ routes, misses, rank, save, colour }: TuneProps) {
  const [store] = useState(() => createStore(startTuning(routes, misses)));
  const state = useSyncExternalStore(store.subscribe, store.get);
  const size = useSize();
  const { exit } = useApp();
  const [ask] = useState(() => latestOnly(rank));
  const decision = useDecision(state.routes, state.conversation, ask);
  useInput((input, key) => {
    const now = store.get();
    const action = actionOf(now.mode, input, key);
    if (action === "save") return saveNow(store, save);
    if (action !== "quit") return action && store.dispatch(action);
    if (isUnsaved(now) && !now.warned) store.dispatch({ type: "warn" });
    else exit();
  });

  if (size.columns < LEAST.columns || size.rows < LEAST.rows) {
    return (
      <Text>This needs {`${LEAST.columns} × ${LEAST.rows}`} characters: make the window larger, or q to leave.</Text>
    );
  }
  const left = Math.floor(size.columns * 0.45);
  const editorRows = 3;
  const room = size.rows - editorRows - 6;
  return (
    <Box flexDirection="column" width={size.columns} height={size.rows - 1}>
      <Box height={room + 1}>
        <Box width={left} flexDirection="column">
          <Bars state={state} decision={decision} width={left - 1} rows={room} colour={colour} />
        </Box>
        <Box width={size.columns - left} flexDirection="column">
          <ConversationView state={state} width={size.columns - left} rows={room} colour={colour} />
        </Box>
      </Box>
      <Editor state={state} width={size.columns} rows={editorRows} colour={colour} />
      <Text wrap="truncate">{printable(state.said) || verdict(state, decision)}</Text>
      <Text dimColor={colour} wrap="truncate">
        {help(state)}
      </Text>
    </Box>
  );
}

function saveNow(store: TuneStore, save: TuneProps["save"]): void {
  const { routes } = store.get();
  save(routes).then(
    (text) => store.dispatch({ type: "saved", routes, text }),
    (error: Error) => store.dispatch({ type: "say", text: error.message }),
  );
}

function verdict(state: TuneState, decision: Decision | undefined): string {
  const dirty = isUnsaved(state) ? " · not saved" : "";
  if (decision === undefined) return `…${dirty}`;
  const label = state.misses[state.miss]?.label;
  const expected = label === undefined ? "" : decision.route === label ? `, as expected` : `, but ${label} is expected`;
  const place = label === undefined ? "" : `miss ${state.miss + 1} of ${state.misses.length}: `;
  return `${place}${printable(decision.route === OTHER ? "other: no route fits" : decision.route)}${printable(expected)}${dirty}`;
}

function help({ mode, misses }: TuneState): string {
  if (mode !== "browse") return "type · ←→ move · Enter or Esc: done";
  const step = misses.length > 0 ? " · n p miss" : "";
  return `↑↓ route · e description · Tab prompt${step} · u undo · r redo · s save · q quit`;
}

type Ask = (...args: Parameters<Engine["rank"]>) => Promise<Scores | undefined>;

/** The decision on a conversation, asked for when the keys pause; an answer to an old question is dropped. */
function useDecision(routes: readonly Route[], conversation: Conversation, ask: Ask): Decision | undefined {
  const [decision, setDecision] = useState<Decision>();
  useEffect(() => {
    let current = true;
    const timer = setTimeout(() => {
      ask(routes, conversation).then(
        (scores) => current && scores && setDecision(decide(routes, scores)),
        () => current && setDecision(undefined),
      );
    }, PAUSE);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [routes, conversation, ask]);
  return decision;
}

/** The terminal's size, as it changes. */
function useSize(): { readonly columns: number; readonly rows: number } {
  const { stdout } = useStdout();
  const read = () => ({ columns: stdout.columns ?? 80, rows: stdout.rows ?? 24 });
  const [size, setSize] = useState(read);
  useEffect(() => {
    const update = () => setSize(read());
    stdout.on("resize", update);
    return () => void stdout.off("resize", update);
  });
  return size;
}

/** Shows `tune` until the user leaves; both streams must be terminals. */
export async function showTune(
  props: TuneProps,
  streams: { readonly stdin: Readable; readonly stdout: Writable },
): Promise<void> {
  const view = render(<Tune {...props} />, {
    stdin: streams.stdin as NodeJS.ReadStream,
    stdout: streams.stdout as NodeJS.WriteStream,
    exitOnCtrlC: false,
    patchConsole: false,
  });
  await view.waitUntilExit();
}
