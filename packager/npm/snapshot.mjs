// Imports an app and freezes the memory:
// node snapshot.mjs LOADER_FOLDER RUNTIME_FOLDER WORKER_FOLDER ARTIFACT_FOLDER SETTINGS_JSON
//
// LOADER_FOLDER has Pyodide with its own loader, RUNTIME_FOLDER the distilled runtime, WORKER_FOLDER the worker's modules,
// ARTIFACT_FOLDER everything but the snapshot, which is written there: heap.bin and the libraries that the app loaded.
// Settings: `loader` as in worker.json, `identity`, `hash_seed`, and what `prepare` of runtimes/edge/start.py takes. The
// last line on stdout is its report as JSON, with the `leftovers` of files; with any fault in it nothing is written.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { leftovers, start, startStock, stateOf, workerModules } from "./freezer.mjs";
import { withoutData } from "./wasm.mjs";

const [loader, runtime, modules, artifact, text] = process.argv.slice(2);
const { loader: kind, identity, hash_seed: hashSeed, ...settings } = JSON.parse(text);
const worker = await workerModules(modules);
const archive = readFileSync(join(artifact, "app.zip"));
const options = { hashSeed, fill: (/** @type {any} */ fileSystem) => worker.files.unpack(archive, fileSystem) };
const { python, freeze } = kind === "stock" ? await ofStock() : await ofDistilled();
const app = python.pyimport("runtimes.edge.start");
// The project's code runs now, on the machine that builds.
worker.seal();
const report = {
  ...JSON.parse(app.prepare(worker.files.APP, JSON.stringify(settings))),
  leftovers: leftovers(python.FS),
};
app.destroy();
const faults = [report.failures, report.reads, report.tasks, report.leftovers];
if (faults.every(({ length }) => length === 0)) writeFileSync(join(artifact, "heap.bin"), freeze());
console.log(JSON.stringify(report));
process.exit(0);

async function ofStock() {
  const started = await startStock(loader, worker, options);
  return { python: started, freeze: () => worker.stock.encode(identity, started.makeMemorySnapshot()) };
}

async function ofDistilled() {
  const places = { loader, runtime, standardLibrary: join(loader, "python_stdlib.zip") };
  const { python: started, noted, memory } = await start(places, worker, options);
  return {
    python: started,
    freeze() {
      const hash = createHash("sha256");
      for (const name of ["pyodide.js", "restore.wasm"]) hash.update(readFileSync(join(artifact, "pyodide", name)));
      for (const [at, { name }] of noted.libraries.entries()) {
        const library = withoutData(noted.module.FS.readFile(name));
        hash.update(library);
        writeFileSync(join(artifact, "libraries", `${at}.wasm`), library);
      }
      return worker.heap.encode(memory, stateOf(noted, { identity, compiled: hash.digest("hex") }));
    },
  };
}
