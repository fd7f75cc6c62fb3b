// Starts Pyodide with its own loader, and puts the app into its file system.
import { readFile } from "node:fs/promises";

import { APP, LOCK_INFO, protect, unpack } from "./files.mjs";

/** @import { FileSystem } from "./files.mjs" */

/**
 * @param {URL} folder of the artifact
 * @returns {Promise<any>} Pyodide's public interface
 */
export async function load(folder) {
  const [{ loadPyodide }, app] = await Promise.all([
    import(new URL("pyodide/pyodide.mjs", folder).href),
    readFile(new URL("app.zip", folder)),
  ]);
  const python = await loadPyodide({
    lockFileContents: { info: LOCK_INFO, packages: {} },
    env: { HOME: "/", PYTHONPATH: APP, PYTHONDONTWRITEBYTECODE: "1" },
    fsInit: (/** @type {FileSystem} */ fileSystem) => unpack(app, fileSystem),
  });
  protect(python.FS);
  return python;
}
