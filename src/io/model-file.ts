import { ArchRouteError } from "../core/errors.js";
import { embeddedModel } from "./bundled.js";
import type { Folders } from "./folders.js";
import { findStored, noStores, type Stores } from "./model-stores.js";
import {
  archRouter,
  archRouterFile,
  parseReference,
  pullCommand,
  type Quantisation,
  quantisations,
} from "./model-table.js";
import type { StoredModel } from "./stored-model.js";
import { verify } from "./verified.js";

/** A GGUF file to load. */
export interface ModelFile {
  readonly path: string;
  /** The small model of the package. */
  readonly embedded: boolean;
  /** Where it was found; undefined: the package's, or a path that was given. */
  readonly stored?: StoredModel;
}

/**
 * The file behind a reference: `mini`, `arch-router[:quant]`, `hf:user/repository/file.gguf` or a path; without one, the
 * best Arch-Router on this machine, else `mini`. A file whose sha256 is known has it. Throws E_MODEL if there is none or
 * it is damaged, E_CONFIG if there can be no such model. `verified: false`: only look where it is.
 */
export async function findModel(
  reference: string | undefined,
  folders: Folders,
  stores: Stores = noStores,
  { verified = true }: { readonly verified?: boolean } = {},
): Promise<ModelFile> {
  const meant = reference === undefined ? undefined : parseReference(reference);
  if (meant?.kind === "path") return { path: meant.path, embedded: false };
  const embedded = { path: embeddedModel.path, embedded: true };
  const check = async (file: ModelFile, sha256: string | undefined, hint?: string) => {
    if (verified && sha256 !== undefined) await verify(file.path, sha256, folders, hint);
    return file;
  };
  if (meant?.kind === "mini") return await check(embedded, embeddedModel.sha256);
  const stored =
    meant?.kind === "hub"
      ? (await findStored(meant.repository, folders, stores)).find(({ file }) => file === meant.file)
      : pickBest(await findArchRouters(folders, stores), meant?.quantisations ?? quantisations)?.model;
  if (stored === undefined) {
    if (meant === undefined) return await check(embedded, embeddedModel.sha256);
    throw new ArchRouteError("E_MODEL", `model ${reference}: not on this machine`, {
      hint: `get it with: ${meant.kind === "hub" ? `arch-route models pull ${reference}` : pullCommand(meant.quantisations[0])}`,
    });
  }
  return await check({ path: stored.path, embedded: false, stored }, stored.sha256, adviceFor(stored));
}

/** An Arch-Router on this machine. */
export interface ArchRouterFile {
  readonly quantisation: Quantisation;
  readonly model: StoredModel;
}

/** The Arch-Routers on this machine, the one to prefer first. */
export async function findArchRouters(folders: Folders, stores: Stores): Promise<ArchRouterFile[]> {
  const models = await findStored(archRouter.repository, folders, stores);
  return quantisations.flatMap((quantisation) => {
    const file = archRouterFile(quantisation).toLowerCase();
    return models.filter((model) => model.file.toLowerCase() === file).map((model) => ({ quantisation, model }));
  });
}

function pickBest(found: readonly ArchRouterFile[], wanted: readonly Quantisation[]): ArchRouterFile | undefined {
  return found.find(({ quantisation }) => wanted.includes(quantisation));
}

/** What to do about a damaged file, by whose it is. */
function adviceFor({ store, path }: StoredModel): string {
  if (store !== "arch-route") return `remove it with ${store} and fetch it again, or use --model mini`;
  return `remove it with: arch-route models rm ${path}, and fetch it again`;
}
