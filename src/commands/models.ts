import { rm } from "node:fs/promises";
import { basename } from "node:path";
import { ArchRouteError, exitCodes } from "../core/errors.js";
import { jsonLine, printable } from "../core/printable.js";
import { readGgufHeader } from "../engine/gguf.js";
import { embeddedModel } from "../io/bundled.js";
import { type Config, type Flags, resolveConfig } from "../io/config.js";
import { findArchRouters, findModel, type ModelFile } from "../io/model-file.js";
import { findOwn, findStored, notePath } from "../io/model-stores.js";
import { archRouter, type ModelReference, parseReference } from "../io/model-table.js";
import type { StoredModel } from "../io/stored-model.js";
import type { Streams } from "../io/streams.js";
import { hashFile, isVerified, markVerified } from "../io/verified.js";
import { formatModels, type ModelRow } from "../ui/format-models.js";

/** `models list`: what is usable on this machine, where it is, and which one would be used. */
export async function listModels(flags: Flags, json: boolean, io: Streams): Promise<number> {
  const config = await resolveConfig(flags, io);
  warn(config, io);
  const choice = await choose(config);
  const rows = await Promise.all(
    (await candidates(config)).map((candidate) => describe(candidate, config, choice.path)),
  );
  const used = { path: choice.path ?? null, why: choice.why };
  io.stdout.write(json ? `${jsonLine({ models: rows, used })}\n` : formatModels(rows, choice.why));
  return 0;
}

/** `models path`: the file that a reference stands for, or the one that would be used. Throws E_MODEL. */
export async function printModelPath(reference: string | undefined, flags: Flags, io: Streams): Promise<number> {
  const config = await resolveConfig(reference === undefined ? flags : { ...flags, model: reference }, io);
  const { path } = await findModel(config.model, config.folders, config.stores);
  readGgufHeader(path);
  io.stdout.write(`${printable(path)}\n`);
  return 0;
}

/** `models verify`: reads every byte of a model, or of all that are here. Returns E_MODEL's code if one is damaged. */
export async function verifyModels(
  reference: string | undefined,
  flags: Flags,
  json: boolean,
  io: Streams,
): Promise<number> {
  const config = await resolveConfig(reference === undefined ? flags : { ...flags, model: reference }, io);
  const chosen = reference === undefined ? await candidates(config) : [await locate(config)];
  const results = [];
  for (const candidate of chosen) {
    const result = { path: candidate.path, ...(await check(candidate, config)) };
    results.push(result);
    if (!json) io.stdout.write(`${result.state}: ${printable(result.path)}: ${printable(result.detail)}\n`);
  }
  if (json) io.stdout.write(`${jsonLine({ models: results })}\n`);
  return results.some(({ state }) => state === "damaged") ? exitCodes.E_MODEL : 0;
}

/** `models rm`: removes a model that this program fetched, and nobody else's. Throws E_USAGE, E_MODEL. */
export async function removeModel(reference: string, io: Streams): Promise<number> {
  const config = await resolveConfig({}, io);
  const meant = await findMeant(parseReference(reference), config);
  const target = meant.find(({ store }) => store === "arch-route");
  if (target === undefined) throw notOurs(reference, meant[0]);
  await rm(target.path);
  await rm(notePath(target.path), { force: true });
  io.stdout.write(`removed: ${printable(target.path)}\n`);
  return 0;
}

/** The files on this machine that a reference may stand for, the one to prefer first. */
async function findMeant(meant: ModelReference, { folders, stores }: Config): Promise<StoredModel[]> {
  if (meant.kind === "mini") return [];
  if (meant.kind === "path") return (await findOwn(folders)).filter(({ path }) => path === meant.path);
  if (meant.kind === "hub") {
    return (await findStored(meant.repository, folders, stores)).filter(({ file }) => file === meant.file);
  }
  const routers = await findArchRouters(folders, stores);
  return routers.filter(({ quantisation }) => meant.quantisations.includes(quantisation)).map(({ model }) => model);
}

function notOurs(reference: string, theirs: StoredModel | undefined): ArchRouteError {
  if (theirs !== undefined) {
    const hint = `remove it with ${theirs.store}`;
    return new ArchRouteError("E_USAGE", `models rm ${reference}: ${theirs.path} is ${theirs.store}'s`, { hint });
  }
  const hint = "see arch-route models";
  return new ArchRouteError("E_MODEL", `models rm ${reference}: this program fetched no such model`, { hint });
}

/** A file that could be used. */
interface Candidate {
  readonly name: string;
  readonly path: string;
  readonly store: ModelRow["store"];
  readonly licence: string | undefined;
  readonly sha256: string | undefined;
}

const mini: Candidate = {
  name: "mini",
  path: embeddedModel.path,
  store: "package",
  licence: "MIT",
  sha256: embeddedModel.sha256,
};

/** What is here, the best first: Arch-Routers, what else was fetched, `mini`, and the path that was asked for. */
async function candidates(config: Config): Promise<Candidate[]> {
  const routers = await findArchRouters(config.folders, config.stores);
  const known = routers.map(({ quantisation, model }) => toCandidate(`${archRouter.name}:${quantisation}`, model));
  const others = (await findOwn(config.folders))
    .filter(({ path }) => !known.some((candidate) => candidate.path === path))
    .map((model) => toCandidate(model.repository ? `hf:${model.repository}/${model.file}` : model.file, model));
  const all = [...known, ...others, mini];
  const asked = await locate(config).catch(() => undefined);
  return asked === undefined || all.some(({ path }) => path === asked.path) ? all : [...all, asked];
}

/** The model that the configuration asks for, unchecked. Throws E_MODEL if it is not here. */
async function locate(config: Config): Promise<Candidate> {
  const { folders, stores, model } = config;
  const meant = model === undefined ? undefined : parseReference(model);
  if (meant?.kind === "path") return toCandidate(basename(meant.path), meant);
  if (meant?.kind === "mini") return mini;
  const { path, stored } = await findModel(model, folders, stores, { verified: false });
  return stored === undefined ? mini : toCandidate(model ?? stored.file, { ...stored, path });
}

function toCandidate(name: string, model: { readonly path: string } & Partial<StoredModel>): Candidate {
  const licence = name.startsWith(archRouter.name) ? archRouter.licence.name : undefined;
  return { name, path: model.path, store: model.store ?? "path", licence, sha256: model.sha256 };
}

async function describe(candidate: Candidate, config: Config, used: string | undefined): Promise<ModelRow> {
  const { name, path, store, licence, sha256 } = candidate;
  const verified =
    sha256 === undefined ? "unknown" : (await isVerified(path, sha256, config.folders)) ? "yes" : "not yet";
  const header = readSafely(path);
  return {
    name,
    path,
    store,
    licence: licence ?? null,
    verified,
    used: path === used,
    ...(typeof header === "string" ? { size: null, problem: header } : { size: header.size, problem: null }),
  };
}

async function choose(config: Config): Promise<{ readonly path: string | undefined; readonly why: string }> {
  try {
    const file = await findModel(config.model, config.folders, config.stores);
    readGgufHeader(file.path);
    return { path: file.path, why: reason(file, config) };
  } catch (error) {
    if (!(error instanceof ArchRouteError)) throw error;
    return { path: undefined, why: `${error.message}${error.hint === undefined ? "" : `; ${error.hint}`}` };
  }
}

function reason({ embedded }: ModelFile, config: Config): string {
  if (config.model !== undefined) return `asked for: ${config.origins.get("model") ?? ""}`;
  return embedded ? "no Arch-Router is on this machine" : "the best Arch-Router on this machine";
}

async function check(
  { path, sha256 }: Candidate,
  config: Config,
): Promise<{ readonly state: "ok" | "damaged" | "unknown"; readonly detail: string }> {
  const header = readSafely(path);
  if (typeof header === "string") return { state: "damaged", detail: header };
  const found = await hashFile(path);
  if (sha256 === undefined)
    return { state: "unknown", detail: `its header is sound; sha256 ${found}, nothing to compare with` };
  if (found !== sha256) return { state: "damaged", detail: `its sha256 is ${found}, not ${sha256}` };
  await markVerified(path, sha256, config.folders);
  return { state: "ok", detail: `sha256 ${found}` };
}

/** A header, or what is wrong with it. */
function readSafely(path: string): ReturnType<typeof readGgufHeader> | string {
  try {
    return readGgufHeader(path);
  } catch (error) {
    if (!(error instanceof ArchRouteError)) throw error;
    return error.message.replace(`model ${path}: `, "");
  }
}

function warn(config: Config, io: Streams): void {
  for (const warning of config.warnings) io.stderr.write(`arch-route: ${printable(warning)}\n`);
}
