// Starts the distilled runtime the long way, with everything noted that a snapshot of it needs.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { runInThisContext } from "node:vm";

/**
 * The worker's own modules that are needed to start Python and to freeze it.
 * @param {string} folder
 */
export async function workerModules(folder) {
  const [heap, files, stock, { seal }] = await Promise.all(
    ["heap.mjs", "files.mjs", "stock.mjs", "seal.mjs"].map((name) => import(pathToFileURL(join(folder, name)).href)),
  );
  return { heap, files, stock, seal };
}

/**
 * @param {object} places
 * @param {string} places.loader the folder with Pyodide's own loader
 * @param {string} places.runtime that with the distilled runtime
 * @param {string} places.standardLibrary the archive
 * @param {any} worker what `workerModules` gives
 * @param {{ hashSeed: number, fill: (fileSystem: any) => void }} options
 */
export async function start({ loader, runtime, standardLibrary }, { heap, files }, { hashSeed, fill }) {
  const { loadPyodide } = await import(pathToFileURL(join(loader, "pyodide.mjs")).href);
  const create = runInThisContext(readFileSync(join(runtime, "pyodide.js"), "utf8"), { filename: "pyodide.js" });
  const memory = new WebAssembly.Memory({ initial: heap.INITIAL_PAGES, maximum: 65_536 });
  /** @type {{ module?: any, main?: WebAssembly.Instance, libraries: any[], functions: number[] }} */
  const noted = { libraries: [], functions: [] };
  const python = await loadPyodide({
    createPyodideModule(/** @type {any} */ settings) {
      noted.module = Object.assign(settings, {
        wasmMemory: memory,
        onFunction: (/** @type {number} */ index) => noted.functions.push(index),
        onLibrary: (/** @type {string} */ name, /** @type {number} */ base, /** @type {number} */ table) =>
          noted.libraries.push({ name, base, table }),
        instantiateWasm(/** @type {any} */ info, /** @type {any} */ done) {
          const compiled = new WebAssembly.Module(readFileSync(join(runtime, "pyodide.wasm")));
          noted.main = new WebAssembly.Instance(compiled, heap.hostImports(info, memory));
          done(noted.main, compiled);
          return {};
        },
      });
      return create(createRequire(import.meta.url), import.meta.url)(settings);
    },
    ...frozen(files, standardLibrary, { hashSeed, fill }),
  });
  files.protect(python.FS);
  return { python, noted, memory };
}

/**
 * Pyodide as it is published, to be frozen in its own way.
 * @param {string} loader the folder with its files
 * @param {any} worker what `workerModules` gives
 * @param {{ hashSeed: number, fill: (fileSystem: any) => void }} options
 */
export async function startStock(loader, { files }, options) {
  const { loadPyodide } = await import(pathToFileURL(join(loader, "pyodide.mjs")).href);
  const python = await loadPyodide(frozen(files, join(loader, "python_stdlib.zip"), options));
  files.protect(python.FS);
  return python;
}

/**
 * @param {any} files
 * @param {string} standardLibrary
 * @param {{ hashSeed: number, fill: (fileSystem: any) => void }} options
 */
function frozen({ LOCK_INFO, APP }, standardLibrary, { hashSeed, fill }) {
  return {
    lockFileContents: { info: LOCK_INFO, packages: {} },
    // Nothing of the machine that builds: what Python sees here is frozen with it.
    env: { HOME: "/", PYTHONPATH: APP, PYTHONDONTWRITEBYTECODE: "1", PYTHONHASHSEED: String(hashSeed) },
    _sysExecutable: "python",
    stdLibURL: standardLibrary,
    _makeSnapshot: true,
    fsInit: fill,
  };
}

/**
 * What the memory alone does not tell; see `State` in heap.mjs.
 * @param {Awaited<ReturnType<typeof start>>["noted"]} noted
 * @param {{ identity: string, compiled: string }} names
 */
export function stateOf({ module, main, libraries, functions }, { identity, compiled }) {
  const globals = Object.entries(main?.exports ?? {}).filter(([name]) => name.startsWith("__global_"));
  const loaded = Object.entries(module.LDSO.loadedLibsByHandle).filter(([handle]) => handle !== "0");
  return {
    identity,
    compiled,
    globals: globals.map(([, value]) => /** @type {WebAssembly.Global} */ (value).value),
    functions,
    libraries,
    handles: loaded.map(([handle, { name, refcount, global }]) => ({
      handle: Number(handle),
      name,
      global,
      refcount: refcount === Infinity ? null : refcount,
    })),
    references: module.API.serializeHiwireState(),
    version: Array.from(module.API.pyVersionTuple),
    sitePackages: module.API.sitePackages,
  };
}

/**
 * What is open or was written that is not in Python's memory and would be missing.
 * @param {any} fileSystem
 * @returns {string[]} paths
 */
export function leftovers(fileSystem) {
  const streams = fileSystem.streams.filter((/** @type {any} */ stream) => stream && stream.fd > 2);
  const written = fileSystem.readdir("/tmp").filter((/** @type {string} */ name) => name !== "." && name !== "..");
  return [
    ...streams.map((/** @type {any} */ { path }) => path),
    ...written.map((/** @type {string} */ name) => `/tmp/${name}`),
  ];
}
