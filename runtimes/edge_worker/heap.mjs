// The file of a memory snapshot, and what a module needs to live in memory of our own.
//
// heap.bin: magic, length of the state, size of the memory, number of runs (u32 each, little endian), the runs
// (offset and length of what is not zero, in pages of 4 KiB), the state as JSON, padding, the runs' bytes.
import { closeSync, openSync, readSync, readv } from "node:fs";

/** Pages of 64 KiB that Pyodide's module starts with. */
export const INITIAL_PAGES = 480;

const MB = 2 ** 20;
/** What Node takes of a function's memory: Python runs out of it, and says so, before the process is ended. */
const NODE_MB = 64;
/** What an app has at least beside what it was frozen with. */
const LEAST_MB = 16;

const MAGIC = 0x50414548;
const PAGE = 4096;
const WASM_PAGE = 65_536;
/** The 4 GiB that 32 bits address. */
const MOST_PAGES = 65_536;
const HEAD = 16;
/** Runs are joined over gaps of this many zero pages: a read costs more than they do. */
const GAP = 4;
/** POSIX, IOV_MAX on Linux. */
const VECTORS = 1024;

/**
 * @typedef {object} State what is not in the memory itself
 * @property {string} identity
 * @property {string} compiled the SHA-256 of what is to be compiled, hexadecimal
 * @property {number[]} globals values of the module's mutable globals
 * @property {number[]} functions what each call of addFunction gave
 * @property {{ name: string, base: number, table: number, functions: number }[]} libraries in the order they were loaded
 * @property {{ handle: number, name: string, global: boolean, refcount: number | null }[]} handles
 * @property {{ hiwireKeys: any[], immortalKeys: string[] }} references of Python to JavaScript
 * @property {number[]} version
 * @property {string} sitePackages
 */

/**
 * @param {WebAssembly.Memory} memory
 * @param {State} state
 * @returns {Uint8Array}
 */
export function encode(memory, state) {
  const bytes = new Uint8Array(memory.buffer);
  const runs = runsOf(bytes);
  const text = Buffer.from(JSON.stringify(state));
  const start = startOf(runs.length, text.length);
  const size = runs.reduce((sum, { length }) => sum + length * PAGE, start);
  const file = Buffer.alloc(size);
  [MAGIC, text.length, bytes.length / WASM_PAGE, runs.length].forEach((value, at) => file.writeUInt32LE(value, at * 4));
  let at = HEAD;
  for (const { offset, length } of runs) at = file.writeUInt32LE(length, file.writeUInt32LE(offset, at));
  text.copy(file, at);
  at = start;
  for (const { offset, length } of runs) {
    file.set(bytes.subarray(offset * PAGE, (offset + length) * PAGE), at);
    at += length * PAGE;
  }
  return file;
}

/**
 * How large Python's memory may grow.
 * @param {number} memory in MB, the function's
 * @param {number} first in bytes, what it starts with
 * @returns {number} bytes
 */
export function mostMemory(memory, first) {
  return Math.min(Math.max((memory - NODE_MB) * MB, first + LEAST_MB * MB), MOST_PAGES * WASM_PAGE);
}

/**
 * A memory that is being filled with the contents of a snapshot, in threads of their own, while others compile.
 * @param {URL} url of the file
 * @param {number} memory in MB, the function's
 * @returns {{ memory: WebAssembly.Memory, state: State, filled: Promise<void> }} `filled` rejects if the file is cut off
 * @throws {Error} if it is no snapshot
 */
export function decode(url, memory) {
  const file = openSync(url, "r");
  const head = new Uint32Array(HEAD / 4);
  readSync(file, head, { position: 0 });
  const [magic, length, pages, count] = head;
  if (magic !== MAGIC) throw new Error("heap.bin is not a memory snapshot");
  const rest = Buffer.alloc(count * 8 + length);
  if (readSync(file, rest, { position: HEAD }) !== rest.length) throw new Error("heap.bin is cut off");
  const maximum = Math.floor(mostMemory(memory, pages * WASM_PAGE) / WASM_PAGE);
  const heap = new WebAssembly.Memory({ initial: pages, maximum });
  const runs = Array.from({ length: count }, (_, at) => {
    const [offset, size] = [rest.readUInt32LE(at * 8), rest.readUInt32LE(at * 8 + 4)];
    return new Uint8Array(heap.buffer, offset * PAGE, size * PAGE);
  });
  const filled = fill(file, runs, startOf(count, length)).finally(() => closeSync(file));
  filled.catch(() => undefined);
  return { memory: heap, state: JSON.parse(rest.toString("utf8", count * 8)), filled };
}

/**
 * @param {number} file
 * @param {Uint8Array[]} runs
 * @param {number} position
 */
async function fill(file, runs, position) {
  const reads = [];
  for (let at = 0; at < runs.length; at += VECTORS) {
    const part = runs.slice(at, at + VECTORS);
    const wanted = part.reduce((sum, { byteLength }) => sum + byteLength, 0);
    reads.push(read(file, part, position, wanted));
    position += wanted;
  }
  await Promise.all(reads);
}

/**
 * @param {number} file
 * @param {Uint8Array[]} views
 * @param {number} position
 * @param {number} wanted bytes
 * @returns {Promise<void>}
 */
function read(file, views, position, wanted) {
  return new Promise((resolve, reject) => {
    readv(file, views, position, (error, got) => {
      if (got === wanted) resolve();
      else reject(error ?? new Error("heap.bin is cut off"));
    });
  });
}

/**
 * What the module imports, with its memory and the marker of JavaScript errors.
 * @param {Record<string, any>} imports as Emscripten makes them
 * @param {WebAssembly.Memory} memory
 */
export function hostImports(imports, memory) {
  const marker = Symbol("error marker");
  imports.env.memory = memory;
  imports.env.Jsv_GetError_import = () => marker;
  imports.env.JsvError_Check = (/** @type {unknown} */ value) => Number(value === marker);
  return imports;
}

/** @param {Uint8Array} bytes */
function runsOf(bytes) {
  const words = new BigUint64Array(bytes.buffer);
  const per = PAGE / 8;
  /** @type {{ offset: number, length: number }[]} */
  const runs = [];
  for (let page = 0; page < bytes.length / PAGE; page += 1) {
    let empty = true;
    for (let at = page * per; empty && at < (page + 1) * per; at += 1) empty = words[at] === 0n;
    if (empty) continue;
    const last = runs.at(-1);
    if (last && page - (last.offset + last.length) <= GAP) last.length = page + 1 - last.offset;
    else runs.push({ offset: page, length: 1 });
  }
  return runs;
}

/**
 * @param {number} count
 * @param {number} length
 */
function startOf(count, length) {
  return Math.ceil((HEAD + count * 8 + length) / PAGE) * PAGE;
}
