// Python's file system: the app below /app, read-only but for /tmp.
import { entries } from "./zip.mjs";

/**
 * @typedef {object} FileSystem
 * @property {(path: string) => void} mkdirTree
 * @property {(path: string, content: Uint8Array, options: { canOwn: boolean }) => void} writeFile
 * @property {(path: string, mode: number) => void} chmod
 * @property {(path: string) => void} chdir
 * @property {(path: string) => { node: any }} lookupPath
 * @property {(parent: any, name: string) => any} lookupNode
 */

export const APP = "/app";
/** An inline lock without packages: Pyodide looks nothing up and fetches nothing. */
export const LOCK_INFO = {
  arch: "wasm32",
  platform: "emscripten",
  abi_version: "2026_0",
  python: "3.14.2",
  version: "1",
};

/** As on Lambda, only /tmp can be written. */
const READ_ONLY = 0o555;

/**
 * Put the files of the app's archive below /app.
 * @param {Uint8Array} archive
 * @param {FileSystem} fileSystem
 */
export function unpack(archive, fileSystem) {
  const folders = new Set([APP]);
  for (const { path, content } of entries(archive)) {
    const target = `${APP}/${path}`;
    for (let end = target.indexOf("/", APP.length + 1); end > 0; end = target.indexOf("/", end + 1)) {
      folders.add(target.slice(0, end));
    }
    fileSystem.mkdirTree(target.slice(0, target.lastIndexOf("/")));
    fileSystem.writeFile(target, content, { canOwn: true });
    fileSystem.chmod(target, READ_ONLY);
  }
  for (const folder of folders) fileSystem.chmod(folder, READ_ONLY);
}

/** @param {FileSystem} fileSystem */
export function protect(fileSystem) {
  for (const folder of ["/", "/home", "/home/web_user"]) fileSystem.chmod(folder, READ_ONLY);
}

/**
 * Run `fill` when something that is not there is looked for in the folder `path`: most requests never do.
 * @param {FileSystem} fileSystem
 * @param {string} path
 * @param {() => void} fill puts files there
 */
export function whenUsed(fileSystem, path, fill) {
  const { node } = fileSystem.lookupPath(path);
  const own = node.node_ops;
  const filled = () => {
    node.node_ops = own;
    fill();
  };
  node.node_ops = {
    ...own,
    lookup(/** @type {any} */ parent, /** @type {string} */ name) {
      filled();
      // The name was not known a moment ago; a lookup of its own finds what there is now.
      return fileSystem.lookupNode(parent, name);
    },
    readdir(/** @type {any} */ folder) {
      filled();
      return own.readdir(folder);
    },
  };
}
