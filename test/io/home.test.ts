import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { NO_HOME } from "../../src/io/home.js";
import { temporaryFolder } from "../helpers/run-cli.js";

const bin = fileURLToPath(new URL("../../bin/arch-route.js", import.meta.url));
const stranger = 54_321;

/** As in a container that is run with a user id that nobody has. Only root can become somebody else. */
it.runIf(process.getuid?.() === 0)("a user whom the system does not know, without HOME, is served", () => {
  const options = { env: { PATH: process.env["PATH"] ?? "" }, uid: stranger, gid: stranger, cwd: "/" };
  const run = (...args: string[]) => spawnSync(process.execPath, [bin, ...args], { ...options, encoding: "utf8" });
  expect(run("--routes", "coding", "fix this bug")).toMatchObject({ status: 0, stdout: "bug_fixing\n" });
  const doctor = run("doctor");
  expect(doctor.status).toBe(0);
  expect(doctor.stdout).toContain(`home: HOME is not set, ${NO_HOME} is taken for it`);
  expect(doctor.stdout).toMatch(/warning {2}cache: .*cannot be written/);
});

it("a home that there is stays", () => {
  expect(process.env["HOME"]).not.toBe(NO_HOME);
});

it.runIf(process.getuid?.() === 0)("a configuration folder that may not be read is no defect", () => {
  const folder = temporaryFolder();
  const env = { PATH: process.env["PATH"] ?? "", HOME: "/dev/null", XDG_CONFIG_HOME: join(folder, "x") };
  const options = { env, uid: stranger, gid: stranger, cwd: "/", encoding: "utf8" } as const;
  const { status, stderr } = spawnSync(process.execPath, [bin, "hi"], options);
  expect(status).toBe(2);
  expect(stderr).toMatch(/^arch-route: .*cannot be read: EACCES.*; set XDG_CONFIG_HOME to a folder that can\n$/);
});
