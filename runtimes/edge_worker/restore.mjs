// Starts Python from the memory snapshot that the build made: nothing is imported again.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { compiled } from "./code_cache.mjs";
import { APP, protect, unpack, whenUsed } from "./files.mjs";
import { decode, hostImports } from "./heap.mjs";
import { lines } from "./output.mjs";

/** @import { Code, Sources } from "./code_cache.mjs" */
/** @import { State } from "./heap.mjs" */

const require = createRequire(import.meta.url);
const RUNTIME_ENVIRONMENT = { IN_NODE: true, IN_NODE_ESM: true };

/**
 * @param {URL} folder of the artifact, with a slash at the end
 * @param {{ memory: number, identity?: string }} settings in MB, and which snapshot belongs to this artifact
 * @param {Uint8Array} [entropy] random bytes that nobody else has
 * @param {(folder: URL, state: State) => Code} [compile]
 * @returns {Promise<any>} Pyodide's public interface
 * @throws {Error} if the snapshot is not that of this artifact
 */
export async function restore(folder, { memory, identity }, entropy = new Uint8Array(), compile = codeOf) {
  const file = (/** @type {string} */ name) => new URL(name, folder);
  const { memory: heap, state, filled } = decode(file("heap.bin"), memory);
  if (state.identity !== identity) throw new Error("heap.bin is of another build than worker.json");
  const { script, modules } = compile(folder, state);
  await filled;
  const create = script.runInThisContext()(require, import.meta.url);
  /** @type {WebAssembly.Instance} */
  let main;
  const settings = {
    API: { config: { jsglobals: globalThis, env: {} }, runtimeEnv: RUNTIME_ENVIRONMENT },
    wasmMemory: heap,
    restoring: true,
    noInitialRun: true,
    replay: replayed(state.functions),
    fillRandom: filling(entropy),
    preRun: [(/** @type {any} */ module) => module.FS.mkdirTree(state.sitePackages)],
    print: lines(1),
    printErr: lines(2),
    instantiateWasm(/** @type {any} */ info, /** @type {any} */ done) {
      main = new WebAssembly.Instance(modules[0], hostImports(info, heap));
      done(main, modules[0]);
      return {};
    },
  };
  const module = await create(settings);
  link(module, state, modules.slice(1));
  // @ts-expect-error - set by instantiateWasm
  state.globals.forEach((value, at) => (main.exports[`__global_${at}`].value = value));
  // The two entries of the reference table that the constructors would have made.
  module.__hiwire_immortal_add(null);
  module.__hiwire_immortal_add(new Map());
  module.API.pyVersionTuple = state.version;
  module.API.sitePackages = state.sitePackages;
  module.replay = undefined;
  module.restoring = false;
  const python = module.API.finalizeBootstrap(state.references);
  const { FS } = module;
  FS.mkdirTree(APP);
  whenUsed(FS, "/lib", () =>
    FS.writeFile("/lib/python314.zip", readFileSync(file("pyodide/python_stdlib.zip")), { canOwn: true }),
  );
  whenUsed(FS, APP, () => unpack(readFileSync(file("app.zip")), FS));
  FS.chdir(APP);
  protect(FS);
  return python;
}

/**
 * What of an artifact is compiled: the script, the main module, and the libraries in the order of their loading.
 * @param {URL} folder
 * @param {State} state
 * @returns {Sources}
 */
export function sourcesOf(folder, { libraries, compiled: identity }) {
  const names = ["pyodide/restore.wasm", ...libraries.map((_, at) => `libraries/${at}.wasm`)];
  const [script, ...binaries] = ["pyodide/pyodide.js", ...names].map((name) => readFileSync(new URL(name, folder)));
  return { identity, script, binaries };
}

/**
 * @param {URL} folder
 * @param {State} state
 */
function codeOf(folder, state) {
  const warn = (/** @type {string} */ reason) => console.error(`warning: ${reason}`);
  return compiled(sourcesOf(folder, state), new URL("code.bin", folder), warn);
}

/**
 * Load the libraries that had been loaded, to the very places where the heap has them.
 * @param {any} module
 * @param {State} state
 * @param {WebAssembly.Module[]} binaries
 */
function link(module, { libraries, handles }, binaries) {
  module.libraryBases = Object.fromEntries(libraries.map(({ name, base }) => [name, base]));
  for (const [at, { name, table }] of libraries.entries()) {
    module.onLibrary = (/** @type {string} */ _name, /** @type {number} */ _base, /** @type {number} */ found) => {
      if (found !== table) throw new Error(`the snapshot does not fit: ${name} would lie at ${found}, not ${table}`);
    };
    const { handle, global, refcount } = /** @type {State["handles"][number]} */ (
      handles.find((row) => row.name === name)
    );
    const library = module.newDSO(name, handle, "loading");
    Object.assign(library, { global, refcount: refcount ?? Infinity });
    library.exports = module.loadWebAssemblyModule(binaries[at], { global, nodelete: refcount === null }, name, {});
    if (global) module.mergeLibSymbols(library.exports, name);
  }
  module.libraryBases = module.onLibrary = undefined;
}

/**
 * Fills with the bytes of `entropy`, each used once, and then with the system's.
 * @param {Uint8Array} entropy
 */
function filling(entropy) {
  let at = 0;
  return (/** @type {Uint8Array} */ view) => {
    if (view.length > entropy.length - at) return require("node:crypto").randomFillSync(view);
    view.set(entropy.subarray(at, at + view.length));
    entropy.fill(0, at, at + view.length);
    at += view.length;
    return view;
  };
}

/**
 * The function table as it was: what was added gets the index that the heap knows.
 * @param {number[]} indexes
 */
function replayed(indexes) {
  let at = 0;
  return (
    /** @type {any} */ func,
    /** @type {string} */ signature,
    /** @type {WebAssembly.Table} */ table,
    /** @type {any[]} */ mirror,
    /** @type {any} */ convert,
  ) => {
    const index = indexes[at];
    at += 1;
    if (index < table.length) return index;
    table.grow(index + 1 - table.length);
    try {
      table.set(index, func);
    } catch {
      table.set(index, convert(func, signature));
    }
    mirror[index] = table.get(index);
    return index;
  };
}
