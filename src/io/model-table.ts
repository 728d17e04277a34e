import { ArchRouteError } from "../core/errors.js";

/** Quantisations of Arch-Router that its makers publish, the one to prefer first. */
export const quantisations = ["q4_k_m", "q5_k_m", "q6_k", "q8_0", "f16", "q4_k_s", "q4_0", "q3_k_m", "q2_k"] as const;

export type Quantisation = (typeof quantisations)[number];

/** A licence, as the repository's model card names it. */
export interface Licence {
  readonly name: string;
  readonly url: string;
}

/**
 * The model that can be had by its name. Revision and sha256 of its files are not here: the hub is asked for both when a
 * file is fetched (commit of `main`, `lfs.oid` of that commit's tree), and they are kept beside the file.
 */
export const archRouter = {
  name: "arch-router",
  repository: "katanemo/Arch-Router-1.5B.gguf",
  licence: {
    name: "katanemo-research",
    url: "https://huggingface.co/katanemo/Arch-Router-1.5B/blob/main/LICENSE",
  },
} as const satisfies { name: string; repository: string; licence: Licence };

/** Name of the file that holds a quantisation of Arch-Router. */
export function archRouterFile(quantisation: Quantisation): string {
  return `Arch-Router-1.5B-${quantisation.toUpperCase()}.gguf`;
}

/** What `--model` may ask for. */
export type ModelReference =
  | { readonly kind: "mini" }
  /** Arch-Router in one of these quantisations, the one to prefer first. */
  | { readonly kind: "arch-router"; readonly quantisations: readonly Quantisation[] }
  /** A file of a repository of the hub. */
  | { readonly kind: "hub"; readonly repository: string; readonly file: string }
  | { readonly kind: "path"; readonly path: string };

// The hub's own rules for names, and nothing that is special in a path or a URL.
const hubName = /^hf:([\w-][\w.-]{0,95})\/([\w-][\w.-]{0,95})\/([\w-][\w.-]{0,190}\.gguf)$/i;

/** `mini`, `arch-router[:quant]`, `hf:user/repository/file.gguf` or a path → what is meant. Throws E_CONFIG. */
export function parseReference(text: string): ModelReference {
  if (text === "mini") return { kind: "mini" };
  if (text === "" || text.includes("\0")) {
    throw new ArchRouteError(
      "E_CONFIG",
      text === "" ? "model: the name is empty" : "model: the name holds a NUL character",
    );
  }
  const [family, quantisation] = text.split(":");
  if (family === archRouter.name) return { kind: "arch-router", quantisations: pickQuantisations(text, quantisation) };
  if (family !== "hf") return { kind: "path", path: text };
  const [, user, repository, file] = hubName.exec(text) ?? [];
  if (user === undefined || file === undefined || text.includes("..")) {
    throw new ArchRouteError("E_CONFIG", `model ${text}: not the name of a file on the hub`, {
      hint: "write hf:user/repository/file.gguf",
    });
  }
  return { kind: "hub", repository: `${user}/${repository}`, file };
}

function pickQuantisations(text: string, wanted: string | undefined): readonly Quantisation[] {
  if (wanted === undefined) return quantisations;
  const known = quantisations.filter((name) => `${archRouter.name}:${name}` === text.toLowerCase());
  if (known.length > 0) return known;
  throw new ArchRouteError("E_CONFIG", `model ${text}: there is no such quantisation`, {
    hint: `use one of ${quantisations.join(", ")}`,
  });
}

/** The command that fetches Arch-Router. */
export function pullCommand(quantisation: Quantisation = quantisations[0]): string {
  return `arch-route models pull ${archRouter.name}:${quantisation}`;
}
