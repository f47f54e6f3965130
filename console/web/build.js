// Builds the console's script into ../assets under a name that says its content, or (--tests, --browser) the tests into .test.
import { build } from "esbuild";
import { readdir, rm } from "node:fs/promises";
import path from "node:path";

const here = import.meta.dirname;
const assets = path.join(here, "..", "assets");

const common = { bundle: true, logLevel: "warning", charset: "ascii", legalComments: "none" };

const folder = process.argv.includes("--tests") ? "test" : process.argv.includes("--browser") ? "browser" : "";
if (folder !== "") {
  const entries = async () => (await readdir(path.join(here, folder))).filter((f) => /(\.test|screenshots|paint)\.ts$/.test(f)).map((f) => path.join(here, folder, f));
  const outdir = path.join(here, ".test", folder);
  await rm(outdir, { recursive: true, force: true });
  await build({ ...common, entryPoints: await entries(), outdir, platform: "node", format: "esm", packages: "external", outExtension: { ".js": ".mjs" } });
} else {
  for (const file of await readdir(assets)) {
    if (/\.(js|map)$/.test(file)) await rm(path.join(assets, file));
  }
  const made = await build({
    ...common, entryPoints: [path.join(here, "src", "tocsin.ts")], outdir: assets, entryNames: "[name]-[hash]", minify: true, target: ["es2022"], format: "iife", metafile: true,
  });
  for (const [file, output] of Object.entries(made.metafile.outputs)) console.log(`${path.basename(file)}: ${output.bytes} bytes`);
}
