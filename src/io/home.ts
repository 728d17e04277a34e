/**
 * To be imported before packages that ask for the home folder as they are loaded (cosmiconfig's env-paths,
 * node-llama-cpp): a user id that the system does not know, and no HOME, would end the process there.
 */
import { homedir } from "node:os";

/** What stands for a home that there is not: nobody, not even root, can put files for us below a device. */
export const NO_HOME = "/dev/null";

try {
  homedir();
} catch {
  // Child processes inherit it.
  process.env["HOME"] = NO_HOME;
}
