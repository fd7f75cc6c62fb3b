// Makes the worker's scripts, one file each: node scripts.mjs SOURCE_FOLDER TARGET_FOLDER
//
// A module graph takes Node longer to load than to compile, and the process that user code runs in is waited for: it is
// one file, and CommonJS, for which Node needs no loader of modules.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const [source, target] = process.argv.slice(2);
const OWN_URL = "scriptUrl";

/**
 * Packages lie beside this script, not beside the source; they are named by their own names, not by where that is.
 * @type {import("esbuild").Plugin}
 */
const packages = {
  name: "packages",
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^[^./]/, namespace: "file" }, ({ path, kind }) =>
      kind === "entry-point" || path.startsWith("node:") ? undefined : { path, namespace: "npm" },
    );
    onLoad({ filter: /^/, namespace: "npm" }, async ({ path }) => ({
      contents: await readFile(fileURLToPath(import.meta.resolve(path))),
    }));
  },
};
/** @param {string} name */
const entry = (name) => join(source, `${name}.mjs`);
const shared = {
  bundle: true,
  // What a comment names a module by counts from here: the bytes are the same wherever this is installed.
  absWorkingDir: source,
  platform: /** @type {const} */ ("node"),
  target: "node22",
  legalComments: /** @type {const} */ ("none"),
  plugins: [packages],
};
await build({
  ...shared,
  entryPoints: ["worker", "serve", "lambda_edge", "regional", "web_function"].map(entry),
  format: "esm",
  outdir: target,
  outExtension: { ".js": ".mjs" },
});
await build({
  ...shared,
  entryPoints: [entry("child")],
  format: "cjs",
  outfile: join(target, "child.cjs"),
  define: { "import.meta.url": OWN_URL },
  banner: { js: `const ${OWN_URL} = require("node:url").pathToFileURL(__filename).href;` },
});
await build({
  ...shared,
  entryPoints: [entry("web_function_index")],
  format: "cjs",
  outfile: join(target, "web_function_index.cjs"),
  external: ["./web_function.mjs"],
});
