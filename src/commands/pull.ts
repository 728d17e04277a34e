import { createInterface } from "node:readline/promises";
import { ArchRouteError } from "../core/errors.js";
import { printable } from "../core/printable.js";
import { readGgufHeader } from "../engine/gguf.js";
import { download } from "../io/download.js";
import { type Folders, findFolders } from "../io/folders.js";
import { findHubFile, type HubFile, hubPath } from "../io/hub.js";
import { createHubClient, type HubClient } from "../io/hub-client.js";
import { type Interrupt, listenForInterrupts } from "../io/interrupt.js";
import { findModel } from "../io/model-file.js";
import { findStores, modelFolder, ownFileName, writeNote } from "../io/model-stores.js";
import { archRouter, archRouterFile, type Licence, parseReference } from "../io/model-table.js";
import { preparePrivateFolder } from "../io/private-folder.js";
import { defaultPatience, type Patience } from "../io/retry.js";
import { hasColour } from "../io/streams.js";
import { markVerified } from "../io/verified.js";
import { createTransferLines, type TransferView } from "../ui/transfer-lines.js";
import type { Surroundings } from "./route.js";

/** Below this a line that is redrawn would wrap. */
const LEAST_COLUMNS = 60;

/** `models pull`, taken apart. */
export interface PullOptions {
  /** `arch-router[:quant]` or `hf:user/repository/file.gguf`. */
  readonly reference: string;
  readonly acceptLicense: boolean;
  readonly offline: boolean;
  readonly quiet: boolean;
  /** For tests, which cannot wait half a minute. */
  readonly patience?: Patience;
}

/** `models pull`: fetches a model into our cache, unless it is on this machine already. Prints its path; the exit code. */
export async function pullModel(options: PullOptions, io: Surroundings): Promise<number> {
  const { repository, file, reference } = readWanted(options.reference);
  const folders = findFolders(io.env);
  const here = await findHere(reference, folders, io);
  if (here !== undefined) {
    io.stdout.write(`${printable(here)}\n`);
    return 0;
  }
  const known = repository === archRouter.repository ? archRouter.licence : undefined;
  const isAsked = io.stdin.isTTY === true && io.stderr.isTTY === true;
  if (!options.acceptLicense && !isAsked) throw licenceError(options.reference, known);
  const interrupt = listenForInterrupts(io);
  const { signal } = interrupt;
  const patience = options.patience ?? defaultPatience;
  const client = await createHubClient({ env: io.env, offline: options.offline, patience, signal });
  try {
    const onRetry = (why: string, wait: number) =>
      io.stderr.write(`arch-route: ${printable(why)}: trying again in ${Math.ceil(wait / 1000)} s\n`);
    const found = await findHubFile(client, repository, file, { patience, signal, onRetry });
    showLicence(found, known, io);
    if (!options.acceptLicense && !(await asksYes(io, interrupt))) throw licenceError(options.reference, known);
    const path = await fetch(client, found, { ...options, folders, patience, interrupt, onRetry }, io);
    io.stdout.write(`${printable(path)}\n`);
    return 0;
  } catch (error) {
    if (signal.aborted) return signal.reason as number;
    throw error;
  } finally {
    await client.close();
    interrupt.dispose();
  }
}

/** Throws E_USAGE for what is no name of the hub's, before anybody is asked anything. */
function readWanted(text: string): { repository: string; file: string; reference: string } {
  const meant = parseReference(text);
  if (meant.kind === "hub") return { repository: meant.repository, file: meant.file, reference: text };
  if (meant.kind === "arch-router") {
    const quantisation = meant.quantisations[0] ?? "q4_k_m";
    const reference = `${archRouter.name}:${quantisation}`;
    return { repository: archRouter.repository, file: archRouterFile(quantisation), reference };
  }
  const why = meant.kind === "mini" ? "it comes with the package" : "not a name of a model that can be fetched";
  throw new ArchRouteError("E_USAGE", `models pull ${text}: ${why}`, {
    hint: `use ${archRouter.name}[:quant] or hf:user/repository/file.gguf`,
  });
}

/** The model's path, if some program has put it on this machine and it is whole. */
async function findHere(reference: string, folders: Folders, io: Surroundings): Promise<string | undefined> {
  try {
    const { path, stored } = await findModel(reference, folders, findStores(io.env));
    readGgufHeader(path);
    const where = stored?.store === "arch-route" ? "" : `: ${stored?.store} keeps it, and it is used from there`;
    io.stderr.write(`arch-route: ${reference} is on this machine already${where}\n`);
    return path;
  } catch (error) {
    if (error instanceof ArchRouteError && error.code === "E_MODEL") return undefined;
    throw error;
  }
}

function licenceError(reference: string, licence: Licence | undefined): ArchRouteError {
  const name = licence === undefined ? "" : ` (${licence.name}, ${licence.url})`;
  return new ArchRouteError("E_USAGE", `models pull ${reference}: its licence${name} is not accepted`, {
    hint: "read it, then add --accept-license",
  });
}

function showLicence(
  { repository, file, size, commit, licence }: HubFile,
  known: Licence | undefined,
  io: Surroundings,
) {
  const { name, url } = licence ?? known ?? { name: "not stated", url: `https://huggingface.co/${repository}` };
  const lines = [
    `${repository}/${file}, ${Math.round(size / 1e6)} MB, commit ${commit.slice(0, 12)}`,
    `licence: ${name}, ${url}`,
  ];
  for (const line of lines) io.stderr.write(`${printable(line).replace(/\s+/g, " ")}\n`);
}

async function asksYes(io: Surroundings, { signal }: Interrupt): Promise<boolean> {
  const prompt = createInterface({ input: io.stdin, output: io.stderr });
  try {
    return /^y(es)?$/i.test((await prompt.question("Do you accept the licence? [y/N] ", { signal })).trim());
  } finally {
    prompt.close();
  }
}

type FetchOptions = PullOptions & {
  readonly folders: Folders;
  readonly patience: Patience;
  readonly interrupt: Interrupt;
  readonly onRetry: (why: string, wait: number) => void;
};

async function fetch(client: HubClient, found: HubFile, options: FetchOptions, io: Surroundings): Promise<string> {
  const { folders, patience, interrupt } = options;
  const folder = modelFolder(folders);
  await preparePrivateFolder(folder);
  const view = options.quiet ? undefined : await openView(found, io);
  try {
    const path = await download(client, {
      from: hubPath(found),
      folder,
      file: ownFileName(found.repository, found.file),
      size: found.size,
      sha256: found.sha256,
      patience,
      signal: interrupt.signal,
      onRetry: options.onRetry,
      onProgress: view?.update,
      beforeRename: (target) =>
        writeNote(target, { ...found, accepted: options.acceptLicense ? "by option" : "when asked" }),
    });
    await markVerified(path, found.sha256, folders);
    readGgufHeader(path);
    return path;
  } finally {
    view?.close();
  }
}

async function openView({ file, size }: HubFile, io: Surroundings): Promise<TransferView> {
  const isTerminal =
    io.stderr.isTTY === true && io.env["TERM"] !== "dumb" && (io.stderr.columns ?? 80) >= LEAST_COLUMNS;
  if (!isTerminal) return createTransferLines({ file, size }, (line) => io.stderr.write(line));
  const { showTransfer } = await import("../ui/transfer.js");
  return showTransfer({ file, size }, io.stderr, hasColour(io.stderr, io.env));
}
