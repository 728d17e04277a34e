import * as v from "valibot";
import { ArchRouteError } from "../core/errors.js";
import { excerpt } from "../core/printable.js";
import type { HubClient, HubResponse } from "./hub-client.js";
import { faultOfCause } from "./hub-faults.js";
import type { Licence } from "./model-table.js";
import { type Retries, TransferFault, withRetries } from "./retry.js";

/** A file of a repository of the hub, in one commit of it. */
export interface HubFile {
  readonly repository: string;
  readonly file: string;
  /** The commit that the branch `main` stood for when it was asked. */
  readonly commit: string;
  /** Bytes. */
  readonly size: number;
  /** Of the file's bytes, from the commit's own record of it. */
  readonly sha256: string;
  /** What the model card says; undefined: nothing. */
  readonly licence: Licence | undefined;
}

/** Bytes; a tree of a thousand files has half a megabyte. */
const LONGEST_ANSWER = 8 << 20;
/** Bytes; F16 of the largest router known is 3.1 GB. */
const LARGEST_FILE = 64 * 2 ** 30;

const text = v.pipe(v.string(), v.maxLength(1000));
const modelSchema = v.object({
  sha: v.pipe(v.string(), v.regex(/^[0-9a-f]{40}$/)),
  cardData: v.optional(
    v.object({ license: v.optional(v.unknown()), license_name: v.optional(text), license_link: v.optional(text) }),
  ),
});
const treeSchema = v.array(
  v.object({
    type: v.string(),
    path: v.string(),
    size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
    lfs: v.optional(v.object({ oid: v.pipe(v.string(), v.regex(/^(sha256:)?[0-9a-f]{64}$/)) })),
  }),
);

/** Looks a file up (its name in any case). Throws E_DOWNLOAD, also if the repository has no such file. */
export async function findHubFile(
  client: HubClient,
  repository: string,
  file: string,
  retries: Retries,
): Promise<HubFile> {
  const ask = <T>(path: string, schema: v.GenericSchema<unknown, T>) =>
    withRetries(repository, retries, async () => readJson(await client.get(path), schema, client.base.host));
  const { sha: commit, cardData } = await ask(`/api/models/${repository}/revision/main`, modelSchema);
  const tree = await ask(`/api/models/${repository}/tree/${commit}`, treeSchema);
  const entry = tree.find(({ path }) => path.toLowerCase() === file.toLowerCase());
  if (entry === undefined) {
    const others = tree.map(({ path }) => path).filter((path) => /\.gguf$/i.test(path));
    throw new ArchRouteError("E_DOWNLOAD", `${repository}: it has no file ${file}`, {
      hint: `it has ${excerpt(others.join(", "), 300) || "no GGUF files"}`,
    });
  }
  if (entry.lfs === undefined || entry.size > LARGEST_FILE) {
    const why = entry.lfs === undefined ? "the hub has no sha256 for it" : `it has ${entry.size} bytes`;
    throw new ArchRouteError("E_DOWNLOAD", `${repository}/${entry.path}: ${why}`, { hint: "choose another file" });
  }
  const sha256 = entry.lfs.oid.replace("sha256:", "");
  return { repository, file: entry.path, commit, size: entry.size, sha256, licence: readLicence(repository, cardData) };
}

/** Where the bytes of a file are, below the hub's address. */
export function hubPath({ repository, commit, file }: HubFile): string {
  return `/${repository}/resolve/${commit}/${encodeURIComponent(file)}`;
}

function readLicence(repository: string, card: v.InferOutput<typeof modelSchema>["cardData"]): Licence | undefined {
  const id = typeof card?.license === "string" && card.license !== "other" ? card.license : undefined;
  const name = card?.license_name ?? id;
  return name === undefined ? undefined : { name, url: card?.license_link ?? `https://huggingface.co/${repository}` };
}

async function readJson<T>(response: HubResponse, schema: v.GenericSchema<unknown, T>, host: string): Promise<T> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > LONGEST_ANSWER) throw new TransferFault(`${host}: its answer is too long`, { again: false });
      chunks.push(chunk);
    }
  } catch (cause) {
    throw faultOfCause(cause, host);
  }
  const result = v.safeParse(schema, parse(Buffer.concat(chunks).toString("utf8"), host));
  if (result.success) return result.output;
  throw new TransferFault(`${host}: its answer is not as the hub's: ${excerpt(result.issues[0].message)}`, {
    again: false,
    hint: "look at ARCH_ROUTE_HUB and HF_ENDPOINT",
  });
}

function parse(body: string, host: string): unknown {
  try {
    return JSON.parse(body);
  } catch (cause) {
    throw isPage(body) ? pageFault(host) : new TransferFault(`${host}: its answer is not JSON`, { again: true, cause });
  }
}

function isPage(body: string): boolean {
  return /^\s*</.test(body.slice(0, 200));
}

/** A page for people came in place of what was asked for. */
export function pageFault(host: string): TransferFault {
  return new TransferFault(`${host} answers with a web page`, {
    again: false,
    hint: "a network that asks for a login does this: log in, or set HTTPS_PROXY",
  });
}
