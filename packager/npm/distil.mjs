// Makes the worker's runtime from Pyodide's files: node distil.mjs PYODIDE_FOLDER TARGET_FOLDER [LIBRARY.so…]
//
// `pyodide.js` and `pyodide.wasm` make a snapshot, with `restore.wasm` in place of the latter it is restored.
// The names that the libraries import stay linkable.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { distilled as distilledScript } from "./script.mjs";
import { distilled as distilledModule } from "./wasm.mjs";

const [folder, target, ...libraries] = process.argv.slice(2);
const module = readFileSync(join(folder, "pyodide.asm.wasm"));
const source = readFileSync(join(folder, "pyodide.asm.mjs"), "utf8");
const main = new WebAssembly.Module(module);
const needed = new Set(libraries.flatMap((file) => importsOf(new WebAssembly.Module(readFileSync(file)))));
const exported = new Set(WebAssembly.Module.exports(main).map(({ name }) => name));
const sandbox = JSON.parse(readFileSync(new URL("sandbox.json", import.meta.url), "utf8"));
const { script, exports } = await distilledScript(source, sandbox, {
  // Nothing draws here: the script leaves what WebGL alone would call without an address.
  imports: new Set(importsOf(main).filter((name) => !name.startsWith("emscripten_gl"))),
  exports: exported,
  needed,
});
writeFileSync(join(target, "pyodide.js"), script);
for (const [name, data] of /** @type {[string, boolean][]} */ ([
  ["pyodide.wasm", true],
  ["restore.wasm", false],
])) {
  const made = distilledModule(module, exports, { data });
  if (!WebAssembly.validate(/** @type {BufferSource} */ (made))) throw new Error(`${name} is not valid WebAssembly`);
  writeFileSync(join(target, name), made);
}

/** @param {WebAssembly.Module} from */
function importsOf(from) {
  return WebAssembly.Module.imports(from).map(({ name }) => name);
}
