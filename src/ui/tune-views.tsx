import { Box, Text } from "ink";
import stringWidth from "string-width";
import type { Decision } from "../core/decision.js";
import { excerpt, printable } from "../core/printable.js";
import { OTHER } from "../core/route.js";
import { editedText, type TuneState } from "./tune-state.js";

interface ViewProps {
  readonly state: TuneState;
  /** Columns and rows that it may fill. */
  readonly width: number;
  readonly rows: number;
  readonly colour: boolean;
}

/** All routes and `other` in the user's order, each with its probability as a bar; the best is marked, and so is the chosen. */
export function Bars({
  state,
  decision,
  width,
  rows,
  colour,
}: ViewProps & { readonly decision: Decision | undefined }) {
  const names = [...state.routes.map(({ name }) => name), OTHER];
  const share = new Map(decision?.ranking.map(({ route, probability }) => [route, probability]));
  const label = Math.min(Math.floor(width * 0.5), Math.max(...names.map((name) => stringWidth(excerpt(name, 40)))));
  const space = width - label - 9;
  const first = Math.max(0, Math.min(state.chosen - rows + 2, names.length - rows));
  return names.slice(first, first + rows).map((name, index) => {
    const probability = share.get(name) ?? 0;
    const best = decision?.ranking[0]?.route === name;
    const bar = "█".repeat(Math.round(probability * space));
    const mark = first + index === state.chosen ? ">" : " ";
    const shown = fitted(excerpt(name, 40), label);
    return (
      <Text key={name} wrap="truncate" bold={best} {...(best && colour && { color: "green" })}>
        {`${mark}${best ? "*" : " "}${shown} ${(probability * 100).toFixed(0).padStart(3)} % ${bar}`}
      </Text>
    );
  });
}

/** The end of the conversation: the last message is the one that counts. */
export function Conversation({ state, width, rows, colour }: ViewProps) {
  const lines = state.conversation.flatMap(({ role, content }) => wrapped(`${role}: ${printable(content)}`, width - 2));
  if (state.mode === "browse" && state.conversation.at(-1)?.content === "") {
    return <Text dimColor={colour}>Tab, then type a prompt</Text>;
  }
  return <Text wrap="truncate">{lines.slice(-rows).join("\n")}</Text>;
}

/** The description of the chosen route, or the prompt while that is edited, with a cursor. */
export function Editor({ state, width, rows, colour }: ViewProps) {
  const { mode, cursor } = state;
  const text = editedText(state);
  const title = mode === "prompt" ? "prompt" : `description of ${printable(state.routes[state.chosen]?.name ?? "")}`;
  const marked = mode === "browse" ? text : `${text.slice(0, cursor)}▏${text.slice(cursor)}`;
  const lines = wrapped(printable(marked), width);
  const at = Math.max(0, lines.findIndex((line) => line.includes("▏")) - rows + 1);
  return (
    <Box flexDirection="column" height={rows + 2}>
      <Text wrap="truncate" {...(mode !== "browse" && colour && { color: "cyan" })}>
        {`── ${title} ${"─".repeat(Math.max(0, width - stringWidth(title) - 4))}`}
      </Text>
      <Text wrap="truncate">{lines.slice(at, at + rows).join("\n")}</Text>
    </Box>
  );
}

/** A text as lines of at most `width` columns, broken anywhere. */
function wrapped(text: string, width: number): string[] {
  return text.split("\n").flatMap((line) => {
    const lines = [""];
    for (const char of line) {
      const last = lines.length - 1;
      if (stringWidth(`${lines[last]}${char}`) <= width) lines[last] += char;
      else lines.push(char);
    }
    return lines;
  });
}

function fitted(text: string, width: number): string {
  const short = excerpt(text, width);
  return short + " ".repeat(Math.max(0, width - stringWidth(short)));
}
