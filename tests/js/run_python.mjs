// Runs a Python file in the Pyodide of edge artifacts, with folders of modules on its path.
// node run_python.mjs PYODIDE_FOLDER SCRIPT [FOLDER...]
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const ROOT = "/app";
const [pyodide, script, ...folders] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(join(pyodide, "pyodide.mjs")).href);
const python = await loadPyodide({
  lockFileContents: {
    info: { arch: "wasm32", platform: "emscripten", abi_version: "2026_0", python: "3.14.2", version: "1" },
    packages: {},
  },
  env: { PYTHONPATH: ROOT, PYTHONDONTWRITEBYTECODE: "1" },
  fsInit(/** @type {any} */ fileSystem) {
    for (const folder of folders) {
      for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile() || entry.name.endsWith(".pyc")) continue;
        const source = join(entry.parentPath, entry.name);
        const target = ROOT + source.slice(folder.length).replaceAll("\\", "/");
        fileSystem.mkdirTree(target.slice(0, target.lastIndexOf("/")));
        fileSystem.writeFile(target, readFileSync(source));
      }
    }
  },
});
await python.runPythonAsync(readFileSync(script, "utf8"), { filename: "/script.py" });
