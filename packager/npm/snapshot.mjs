// Imports an app and freezes the memory: node snapshot.mjs LOADER_FOLDER RUNTIME_FOLDER WORKER_FOLDER
// ARTIFACT_FOLDER SETTINGS_JSON
//
// WORKER_FOLDER has the worker's modules. // ARTIFACT_FOLDER has everything but the snapshot, which is written there: heap.bin and the libraries that the app
// loaded. Settings: `identity`, `hash_seed`, and what `prepare` of runtimes/edge/start.py takes. The last line on
// stdout is its report as JSON, with the `leftovers` of files; with any fault in it nothing is written.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { leftovers, start, stateOf, workerModules } from "./freezer.mjs";
import { withoutData } from "./wasm.mjs";

const [loader, runtime, modules, artifact, text] = process.argv.slice(2);
const { identity, hash_seed: hashSeed, ...settings } = JSON.parse(text);
const worker = await workerModules(modules);
const places = { loader, runtime, standardLibrary: join(loader, "python_stdlib.zip") };
const archive = readFileSync(join(artifact, "app.zip"));
const { python, noted, memory } = await start(places, worker, {
  hashSeed,
  fill: (fileSystem) => worker.files.unpack(archive, fileSystem),
});
const app = python.pyimport("runtimes.edge.start");
const report = {
  ...JSON.parse(app.prepare(worker.files.APP, JSON.stringify(settings))),
  leftovers: leftovers(python.FS),
};
app.destroy();
const faults = [report.failures, report.reads, report.tasks, report.leftovers];
if (faults.every(({ length }) => length === 0)) {
  for (const [at, { name }] of noted.libraries.entries()) {
    writeFileSync(join(artifact, "libraries", `${at}.wasm`), withoutData(noted.module.FS.readFile(name)));
  }
  writeFileSync(join(artifact, "heap.bin"), worker.heap.encode(memory, stateOf(noted, identity)));
}
console.log(JSON.stringify(report));
process.exit(0);
