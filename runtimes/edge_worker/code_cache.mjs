// Compiled code of an earlier process: an accelerator that is never needed.
//
// code.bin: magic, number of parts, for each part the length of what it was compiled from, its CRC-32, the part's
// length and its CRC-32 (u32 each, little endian), then the parts. The first part is the script's, the others are
// WebAssembly modules'. V8 itself refuses the code of another V8, but not code that is damaged or of another
// module: with that it crashes. So both are verified.
import { closeSync, openSync, readSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { Script } from "node:vm";
import { crc32 } from "node:zlib";

const MAGIC = 0x45444f43;
const WORD = 4;
const FIELDS = 4;
const NATIVES = "allow-natives-syntax";
const DESERIALIZE = "(function (code, binary) { return %DeserializeWasmModule(code, binary) })";
const SERIALIZE = "(function (module) { return %SerializeWasmModule(module) })";

/**
 * @typedef {object} Code
 * @property {Script} script
 * @property {WebAssembly.Module[]} modules
 */

/**
 * Compile, or take what was compiled before if it fits this process.
 * @param {Uint8Array<ArrayBuffer>} source of the script, in ASCII
 * @param {Uint8Array<ArrayBuffer>[]} binaries of modules
 * @param {URL | undefined} cache where code.bin may be
 * @param {(reason: string) => void} warn called once if there is no use in it
 * @returns {Code}
 */
export function compiled(source, binaries, cache, warn) {
  const found = cache && parts(cache, [source, ...binaries]);
  const cachedData = found?.[0] && new Uint8Array(found[0]);
  const script = new Script(Buffer.from(source.buffer, source.byteOffset, source.byteLength).toString("latin1"), {
    filename: "pyodide.js",
    ...(cachedData && { cachedData }),
  });
  const restored = found && restoredModules(found.slice(1), binaries);
  if (cache !== undefined && (script.cachedDataRejected !== false || restored === undefined)) {
    warn("there is no compiled code for this Node and processor: starting without it, which takes longer");
  }
  return { script, modules: restored ?? binaries.map((binary) => new WebAssembly.Module(binary)) };
}

/**
 * The contents of code.bin.
 * @param {Uint8Array[]} sources what was compiled: script, modules
 * @param {Uint8Array[]} codes what it became
 */
export function encode(sources, codes) {
  const fields = sources.flatMap((source, at) => [source.length, crc32(source), codes[at].length, crc32(codes[at])]);
  return Buffer.concat([Buffer.from(Uint32Array.from([MAGIC, sources.length, ...fields]).buffer), ...codes]);
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
 * @param {Uint8Array[]} sources
 * @returns {ArrayBuffer[] | undefined} undefined if there is no cache, or it is damaged or of other sources
 */
function parts(cache, sources) {
  let file;
  try {
    file = openSync(cache, "r");
  } catch {
    return undefined;
  }
  try {
    const head = new Uint32Array(2 + sources.length * FIELDS);
    if (readSync(file, head, { position: 0 }) !== head.byteLength) return undefined;
    const [magic, count, ...fields] = head;
    if (magic !== MAGIC || count !== sources.length) return undefined;
    let position = head.length * WORD;
    const found = [];
    for (const [at, source] of sources.entries()) {
      const [length, sum, size, check] = fields.slice(at * FIELDS);
      const part = new Uint8Array(size);
      if (source.byteLength !== length || readSync(file, part, { position }) !== size) return undefined;
      if (crc32(source) !== sum || crc32(part) !== check) return undefined;
      position += size;
      found.push(part.buffer);
    }
    return found;
  } catch {
    return undefined;
  } finally {
    closeSync(file);
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
