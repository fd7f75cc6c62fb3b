// Starts Pyodide with its own loader, and from a snapshot in its own format if there is one.
//
// heap.bin: the snapshot's identity (64 characters), then what Pyodide calls a memory snapshot.
import { readFileSync } from "node:fs";

import { APP, LOCK_INFO, protect, unpack, whenUsed } from "./files.mjs";

/** @import { FileSystem } from "./files.mjs" */

const IDENTITY = 64;

/**
 * @param {URL} folder of the artifact
 * @param {{ identity?: string }} settings which snapshot belongs to this artifact, if one does
 * @returns {Promise<any>} Pyodide's public interface
 * @throws {Error} if the snapshot is not that of this artifact
 */
export async function load(folder, { identity }) {
  const { loadPyodide } = await import(new URL("pyodide/pyodide.mjs", folder).href);
  const python = await loadPyodide({
    lockFileContents: { info: LOCK_INFO, packages: {} },
    env: { HOME: "/", PYTHONPATH: APP, PYTHONDONTWRITEBYTECODE: "1" },
    fsInit(/** @type {FileSystem} */ fileSystem) {
      fileSystem.mkdirTree(APP);
      whenUsed(fileSystem, APP, () => unpack(readFileSync(new URL("app.zip", folder)), fileSystem));
    },
    ...(identity && restoring(folder, identity)),
  });
  python.FS.chdir(APP);
  protect(python.FS);
  return python;
}

/**
 * @param {string} identity
 * @param {Uint8Array} snapshot
 */
export function encode(identity, snapshot) {
  return Buffer.concat([Buffer.from(identity, "latin1"), snapshot]);
}

/**
 * @param {URL} folder
 * @param {string} identity
 */
function restoring(folder, identity) {
  const file = readFileSync(new URL("heap.bin", folder));
  if (file.toString("latin1", 0, IDENTITY) !== identity)
    throw new Error("heap.bin is of another build than worker.json");
  const snapshot = new Uint8Array(file.buffer, file.byteOffset + IDENTITY, file.byteLength - IDENTITY);
  return {
    _loadSnapshot: snapshot,
    async createPyodideModule(/** @type {any} */ settings) {
      const { default: create } = await import(new URL("pyodide/pyodide.asm.mjs", folder).href);
      const module = await create(settings);
      // Pyodide takes for granted that the memory is as large as it was.
      if (module.HEAPU8.length < snapshot.length) module._emscripten_resize_heap(snapshot.length);
      return module;
    },
  };
}
