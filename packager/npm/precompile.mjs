// Runs packager/precompile.py over Pyodide's standard library, in the Pyodide that will import it.
// node precompile.mjs PYODIDE_FOLDER PRECOMPILE_PY TARGET
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, script, target] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(join(folder, "pyodide.mjs")).href);
const python = await loadPyodide({
  lockFileContents: {
    info: { arch: "wasm32", platform: "emscripten", abi_version: "2026_0", python: "3.14.2", version: "1" },
    packages: {},
  },
  // A fixed seed: sets in bytecode are written in the order of their hashes.
  env: { PYTHONPATH: "/script", PYTHONHASHSEED: "0" },
  fsInit(/** @type {any} */ fileSystem) {
    fileSystem.mkdirTree("/script");
    fileSystem.writeFile("/script/precompile.py", readFileSync(script));
  },
});
python.pyimport("precompile").precompile("/lib/python314.zip", "/compiled.zip");
writeFileSync(target, python.FS.readFile("/compiled.zip"));
