// Compares the distilled runtime with Pyodide itself, as loaded and as restored from a snapshot:
// node smoke.mjs LOADER_FOLDER RUNTIME_FOLDER STDLIB_ZIP WORKER_FOLDER PROBES_PY
//
// WORKER_FOLDER has the worker's scripts and takes the snapshot. Exits with 1 and a line for each probe that differs.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { start, stateOf, workerModules } from "./freezer.mjs";

const [loader, runtime, standardLibrary, folder, probes] = process.argv.slice(2);
const worker = await workerModules(folder);
const source = readFileSync(probes, "utf8");
const { LOCK_INFO } = worker.files;
const { loadPyodide } = await import(pathToFileURL(join(loader, "pyodide.mjs")).href);
const stock = await loadPyodide({
  lockFileContents: { info: LOCK_INFO, packages: {} },
  stdLibURL: standardLibrary,
  env: { HOME: "/" },
});
const expected = await results(stock);
const { python, noted, memory } = await start({ loader, runtime, standardLibrary }, worker, {
  hashSeed: 1,
  fill: () => undefined,
});
writeFileSync(
  join(folder, "heap.bin"),
  worker.heap.encode(memory, stateOf(noted, { identity: "smoke", compiled: "" })),
);
const built = await results(python);
mkdirSync(join(folder, "pyodide"), { recursive: true });
for (const name of ["pyodide.js", "restore.wasm"]) copyFileSync(join(runtime, name), join(folder, "pyodide", name));
copyFileSync(standardLibrary, join(folder, "pyodide", "python_stdlib.zip"));
const { restore } = await import(pathToFileURL(join(folder, "restore.mjs")).href);
const restored = await results(await restore(pathToFileURL(`${folder}/`), { memory: 1024, identity: "smoke" }));
let differing = 0;
for (const [name, value] of Object.entries(expected)) {
  for (const [where, found] of /** @type {[string, any][]} */ ([
    ["distilled", built[name]],
    ["restored", restored[name]],
  ])) {
    if (found === value) continue;
    differing += 1;
    console.error(`${name}: ${where} ${found}, Pyodide ${value}`);
  }
}
process.exit(differing === 0 ? 0 : 1);

/**
 * @param {any} python
 * @returns {Promise<Record<string, string>>}
 */
async function results(python) {
  python.runPython(source);
  return JSON.parse(await python.runPythonAsync("await probe()"));
}
