// Compiled code of an earlier process: an accelerator that is never needed.
//
// code.bin: magic, number of parts, for each part the length of what it was compiled from, the part's length and its
// CRC-32 (u32 each, little endian), the SHA-256 of all that was compiled (32 bytes), then the parts. The first part is
// the script's, the others are WebAssembly modules'. V8 itself refuses the code of another V8, but not code that is
// damaged or of another module: with that it crashes. So both are verified.
import { closeSync, openSync, readSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { Script } from "node:vm";
import { crc32 } from "node:zlib";

const MAGIC = 0x45444f43;
const WORD = 4;
const FIELDS = 3;
const HASH = 32;
const NATIVES = "allow-natives-syntax";
const DESERIALIZE = "(function (code, binary) { return %DeserializeWasmModule(code, binary) })";
const SERIALIZE = "(function (module) { return %SerializeWasmModule(module) })";

/**
 * What is compiled. `identity` is the SHA-256 of all of it, hexadecimal; `script` is ASCII.
 * @typedef {object} Sources
 * @property {string} identity
 * @property {Uint8Array<ArrayBuffer>} script
 * @property {Uint8Array<ArrayBuffer>[]} binaries of modules
 *
 * @typedef {object} Code
 * @property {Script} script
 * @property {WebAssembly.Module[]} modules
 */

/**
 * Compile, or take what was compiled before if it fits this process.
 * @param {Sources} sources
 * @param {URL | undefined} cache where code.bin may be
 * @param {(reason: string) => void} warn called once if there is no use in it
 * @returns {Code}
 */
export function compiled(sources, cache, warn) {
  const found = cache && parts(cache, sources);
  const cachedData = found?.[0] && new Uint8Array(found[0]);
  const text = Buffer.from(sources.script.buffer, sources.script.byteOffset, sources.script.byteLength).toString(
    "latin1",
  );
  const script = new Script(text, { filename: "pyodide.js", ...(cachedData && { cachedData }) });
  const restored = found && restoredModules(found.slice(1), sources.binaries);
  if (cache !== undefined && (script.cachedDataRejected !== false || restored === undefined)) {
    warn("there is no compiled code for this Node and processor: starting without it, which takes longer");
  }
  return { script, modules: restored ?? sources.binaries.map(compiledModule) };
}

/**
 * Functions are checked when they are compiled, at their first call: the build has validated them all. That saves some
 * 20 ms of a start without compiled code, of 200 (tests/benchmarks/README.md).
 * @param {Uint8Array<ArrayBuffer>} binary
 */
function compiledModule(binary) {
  setFlagsFromString("--wasm-lazy-validation");
  try {
    return new WebAssembly.Module(binary);
  } finally {
    setFlagsFromString("--no-wasm-lazy-validation");
  }
}

/**
 * The contents of code.bin.
 * @param {Sources} sources
 * @param {Uint8Array[]} codes what they became: the script, the modules
 */
export function encode({ identity, script, binaries }, codes) {
  const fields = [script, ...binaries].flatMap(({ length }, at) => [length, codes[at].length, crc32(codes[at])]);
  const head = Buffer.from(Uint32Array.from([MAGIC, codes.length, ...fields]).buffer);
  return Buffer.concat([head, Buffer.from(identity, "hex"), ...codes]);
}

/**
 * The code of a module, in which every function that was called has been compiled by TurboFan.
 * @param {WebAssembly.Module} module
 * @returns {Uint8Array}
 */
export function serialized(module) {
  return new Uint8Array(native(SERIALIZE)(module));
}

/**
 * The parts of the cache, each in memory of its own, as V8 wants them.
 * @param {URL} cache
 * @param {Sources} sources
 * @returns {ArrayBuffer[] | undefined} undefined if there is no cache, or it is damaged or of other sources
 */
function parts(cache, { identity, script, binaries }) {
  let file;
  try {
    file = openSync(cache, "r");
    const lengths = [script, ...binaries].map(({ byteLength }) => byteLength);
    const bytes = Buffer.alloc((2 + lengths.length * FIELDS) * WORD + HASH);
    if (readSync(file, bytes, { position: 0 }) !== bytes.length) return undefined;
    const [magic, count, ...fields] = new Uint32Array(bytes.buffer, bytes.byteOffset, (bytes.length - HASH) / WORD);
    if (magic !== MAGIC || count !== lengths.length || bytes.toString("hex", bytes.length - HASH) !== identity)
      return undefined;
    let position = bytes.length;
    const found = [];
    for (const [at, length] of lengths.entries()) {
      const [compiledLength, size, sum] = fields.slice(at * FIELDS);
      const part = new Uint8Array(size);
      if (compiledLength !== length || readSync(file, part, { position }) !== size || crc32(part) !== sum)
        return undefined;
      position += size;
      found.push(part.buffer);
    }
    return found;
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/**
 * @param {ArrayBuffer[]} codes
 * @param {Uint8Array<ArrayBuffer>[]} binaries
 * @returns {WebAssembly.Module[] | undefined}
 */
function restoredModules(codes, binaries) {
  try {
    const deserialize = native(DESERIALIZE);
    const modules = codes.map((code, at) => deserialize(code, binaries[at]));
    return modules.includes(undefined) ? undefined : modules;
  } catch {
    return undefined;
  }
}

/**
 * A function that calls an intrinsic of V8, which newer versions do not have. Written with parentheses around it
 * the function is compiled at once, while intrinsics are allowed.
 * @param {string} source
 * @throws {SyntaxError} if this V8 has not
 */
function native(source) {
  setFlagsFromString(`--${NATIVES}`);
  try {
    return new Script(source).runInThisContext();
  } finally {
    setFlagsFromString(`--no-${NATIVES}`);
  }
}
