import { isOffline } from "../io/server-access.js";
import type { CommandSpec } from "./spec.js";

const acceptLicense = { flags: "--accept-license", description: "you have read the model's licence and accept it" };

/** `models …`: what is on this machine, and how to get more. */
export const models: CommandSpec = {
  usage: "models",
  description: "the models on this machine",
  commands: [
    {
      usage: "list",
      isDefault: true,
      description: "print what is usable, where it is, and which one would be used",
      run: async ({ flags, options }, io) =>
        (await import("./models.js")).listModels(flags, options["json"] === true, io),
    },
    {
      usage: "pull <model>",
      description: "fetch arch-router[:quant] or hf:user/repo/file.gguf from the hub",
      options: [acceptLicense],
      run: async ({ args, options }, io) =>
        (await import("./pull.js")).pullModel(
          {
            reference: args[0] ?? "",
            acceptLicense: options["acceptLicense"] === true,
            offline: isOffline(options["offline"] === true, io.env),
            quiet: options["quiet"] === true,
          },
          io,
        ),
    },
    {
      usage: "verify [model]",
      description: "read every byte of a model, or of all, and compare its sha256",
      run: async ({ args, flags, options }, io) =>
        (await import("./models.js")).verifyModels(args[0], flags, options["json"] === true, io),
    },
    {
      usage: "path [model]",
      description: "print where a model is, or the one that would be used",
      run: async ({ args, flags }, io) => (await import("./models.js")).printModelPath(args[0], flags, io),
    },
    {
      usage: "rm <model>",
      description: "remove a model that pull fetched",
      run: async ({ args }, io) => (await import("./models.js")).removeModel(args[0] ?? "", io),
    },
  ],
};

/** `doctor`: what may be wrong, and what to do about it. */
export const doctor: CommandSpec = {
  usage: "doctor",
  description: "look at this machine, the library, the cache and the model, and say what is wrong",
  run: async ({ flags, options }, io) => (await import("./doctor.js")).examine(flags, options["json"] === true, io),
};
