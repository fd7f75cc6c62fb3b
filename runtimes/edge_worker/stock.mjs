// Starts Pyodide as it is published, and puts the app into its file system.
import { readFile } from "node:fs/promises";

import { entries } from "./zip.mjs";

/**
 * What is used of Pyodide, whichever loader started it.
 * @typedef {object} Python
 * @property {FileSystem} FS
 * @property {(module: string) => any} pyimport
 *
 * @typedef {object} FileSystem
 * @property {(path: string) => void} mkdirTree
 * @property {(path: string, content: Uint8Array, options: { canOwn: boolean }) => void} writeFile
 * @property {(path: string, mode: number) => void} chmod
 */

export const ROOT = "/app";
/** As on Lambda, only /tmp can be written. */
const READ_ONLY = 0o555;
const LOCK_INFO = { arch: "wasm32", platform: "emscripten", abi_version: "2026_0", python: "3.14.2", version: "1" };

/** @returns {Promise<Python>} */
export async function load() {
  const [{ loadPyodide }, app] = await Promise.all([
    import(new URL("pyodide/pyodide.mjs", import.meta.url).href),
    readFile(new URL("app.zip", import.meta.url)),
  ]);
  const python = await loadPyodide({
    // An inline lock without packages: nothing is looked up or fetched.
    lockFileContents: { info: LOCK_INFO, packages: {} },
    env: { PYTHONPATH: ROOT, PYTHONDONTWRITEBYTECODE: "1" },
    fsInit: (/** @type {FileSystem} */ fileSystem) => unpack(app, fileSystem),
  });
  for (const folder of ["/", "/home", "/home/pyodide", "/home/web_user"]) python.FS.chmod(folder, READ_ONLY);
  return python;
}

/**
 * @param {Uint8Array} archive
 * @param {FileSystem} fileSystem
 */
function unpack(archive, fileSystem) {
  const folders = new Set([ROOT]);
  for (const { path, content } of entries(archive)) {
    const target = `${ROOT}/${path}`;
    for (let end = target.indexOf("/", ROOT.length + 1); end > 0; end = target.indexOf("/", end + 1)) {
      folders.add(target.slice(0, end));
    }
    fileSystem.mkdirTree(target.slice(0, target.lastIndexOf("/")));
    fileSystem.writeFile(target, content, { canOwn: true });
    fileSystem.chmod(target, READ_ONLY);
  }
  for (const folder of folders) fileSystem.chmod(folder, READ_ONLY);
}
