import { PassThrough } from "node:stream";
import { render } from "ink";
import { expect, it, vi } from "vitest";
import { showTransfer, TransferBar } from "../../src/ui/transfer.js";

vi.hoisted(() => {
  // ink draws its last frame only where it takes itself to be in a build service, and colours where it sees a terminal.
  delete process.env["CI"];
  delete process.env["CONTINUOUS_INTEGRATION"];
  process.env["FORCE_COLOR"] = "1";
});

const transfer = { file: "x\x1b[2J.gguf", size: 1e9 };
const escapes = new RegExp(`${String.fromCharCode(0x1b)}\\[[0-9;?]*[A-Za-z]`, "g");

function terminal() {
  const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 120, rows: 24 });
  return { stream, printed: () => String(stream.read() ?? "") };
}

function frame(bytes: number, colour: boolean, columns = 120): string {
  const { stream, printed } = terminal();
  const options = {
    stdout: stream as unknown as NodeJS.WriteStream,
    debug: true,
    exitOnCtrlC: false,
    patchConsole: false,
  };
  const view = render(
    <TransferBar transfer={transfer} bytes={bytes} speed={1e7} colour={colour} columns={columns} />,
    options,
  );
  const text = printed();
  view.unmount();
  return text;
}

it.each([
  [0, `x.gguf ${"░".repeat(30)} 0 %, 0 of 1000 MB, 10.0 MB/s, 2 min left`],
  [5e8, `x.gguf ${"█".repeat(15)}${"░".repeat(15)} 50 %, 500 of 1000 MB, 10.0 MB/s, 50 s left`],
  [1e9, `x.gguf ${"█".repeat(30)} all there, comparing its sha256`],
])("after %i bytes", (bytes, text) => {
  expect(frame(bytes, false).trim()).toBe(text);
});

it("fits where there are fewer columns", () => {
  expect(frame(5e8, false, 70).trim()).toBe(
    `x.gguf ${"█".repeat(7)}${"░".repeat(7)} 50 %, 500 of 1000 MB, 10.0 MB/s, 50 s left`,
  );
  expect(frame(5e8, false, 40)).not.toContain("█");
});

it("has colours only if asked", () => {
  expect(frame(5e8, true)).toContain("\x1b[32m");
  expect(frame(5e8, false)).not.toContain("\x1b[32m");
});

it("is redrawn in place and taken away", async () => {
  const { stream, printed } = terminal();
  const view = showTransfer(transfer, stream, false);
  view.update(5e8);
  view.update(1e9);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(printed().replace(escapes, "")).toContain("all there");
  view.close();
  expect(printed().replace(escapes, "").trim()).toBe("");
});
