// Reads and rewrites WebAssembly modules section by section, as the binary format of the core specification has them.

const HEADER = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
const CUSTOM = 0;
const IMPORT = 2;
const MEMORY = 5;
const GLOBAL = 6;
const EXPORT = 7;
const DATA = 11;
const DATA_COUNT = 12;
const MEMORY_KIND = 2;
const GLOBAL_KIND = 3;
const END = 0x0b;

/** The import that the distilled module takes its memory from. */
export const MEMORY_NAME = "memory";
/** What the names of exported mutable globals begin with; a number follows. */
export const GLOBAL_PREFIX = "__global_";

/**
 * @typedef {{ id: number, content: Uint8Array }} Section
 * @typedef {{ name: string, kind: number, index: number }} Export
 */

/**
 * The module with only the exports in `names`, its mutable globals exported beside them, and its memory imported
 * as `env.memory`. Its code and its tables are unchanged, so that its function table has the same indexes.
 * @param {Uint8Array} module
 * @param {Set<string>} names
 * @param {{ data: boolean }} options `data`: keep what initialises the memory
 * @returns {Uint8Array}
 * @throws {Error} if the module is not built as expected
 */
export function distilled(module, names, { data }) {
  const sections = sectionsOf(module);
  const memory = only(sections, MEMORY).content;
  const globals = mutableGlobals(sections);
  const rows = exportsOf(only(sections, EXPORT).content).filter(
    ({ name, kind }) => kind !== MEMORY_KIND && names.has(name),
  );
  rows.push(...globals.map((index, at) => ({ name: `${GLOBAL_PREFIX}${at}`, kind: GLOBAL_KIND, index })));
  /** @type {Section[]} */
  const kept = [];
  for (const section of sections) {
    if (section.id === MEMORY || (!data && (section.id === DATA || section.id === DATA_COUNT))) continue;
    if (section.id === CUSTOM && nameOf(section) !== "dylink.0") continue;
    if (section.id === IMPORT) kept.push({ id: IMPORT, content: withMemory(section.content, memory) });
    else if (section.id === EXPORT) kept.push({ id: EXPORT, content: exportSection(rows) });
    else kept.push(section);
  }
  return joined(kept);
}

/**
 * The pages (64 KiB) that a module's own memory starts with.
 * @param {Uint8Array} module
 */
export function memoryPages(module) {
  const reader = new Reader(only(sectionsOf(module), MEMORY).content);
  reader.number();
  reader.byte();
  return reader.number();
}

/**
 * The module without what initialises its memory.
 * @param {Uint8Array} module
 */
export function withoutData(module) {
  return joined(sectionsOf(module).filter(({ id }) => id !== DATA && id !== DATA_COUNT));
}

class Reader {
  #bytes;
  at = 0;

  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.#bytes = bytes;
  }

  get done() {
    return this.at >= this.#bytes.length;
  }

  byte() {
    if (this.done) throw new Error("the WebAssembly module ends too early");
    return this.#bytes[this.at++];
  }

  /** An unsigned LEB128 number. */
  number() {
    let result = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.byte();
      result += (byte & 127) * factor;
      if (byte < 128) return result;
    }
  }

  /** @param {number} size */
  bytes(size) {
    if (this.at + size > this.#bytes.length) throw new Error("the WebAssembly module ends too early");
    this.at += size;
    return this.#bytes.subarray(this.at - size, this.at);
  }

  name() {
    return new TextDecoder().decode(this.bytes(this.number()));
  }

  rest() {
    return this.bytes(this.#bytes.length - this.at);
  }
}

/**
 * @param {Uint8Array} module
 * @returns {Section[]}
 */
function sectionsOf(module) {
  const reader = new Reader(module);
  if (Buffer.compare(reader.bytes(HEADER.length), HEADER) !== 0) throw new Error("not a WebAssembly module");
  const sections = [];
  while (!reader.done) sections.push({ id: reader.byte(), content: reader.bytes(reader.number()) });
  return sections;
}

/** @param {Section[]} sections */
function joined(sections) {
  return Buffer.concat([
    HEADER,
    ...sections.flatMap(({ id, content }) => [[id], leb(content.length), content].map(bytes)),
  ]);
}

/**
 * @param {Section[]} sections
 * @param {number} id
 */
function only(sections, id) {
  const found = sections.filter((section) => section.id === id);
  if (found.length !== 1) throw new Error(`the WebAssembly module has ${found.length} sections ${id}, not one`);
  return found[0];
}

/** @param {Section} section a custom one */
function nameOf(section) {
  return new Reader(section.content).name();
}

/**
 * @param {Uint8Array} content of the import section
 * @param {Uint8Array} memory content of the memory section: one memory
 */
function withMemory(content, memory) {
  const reader = new Reader(content);
  const count = reader.number();
  const limits = new Reader(memory);
  if (limits.number() !== 1) throw new Error("the WebAssembly module has not one memory");
  const entry = [name("env"), name(MEMORY_NAME), [MEMORY_KIND], limits.rest()];
  return Buffer.concat([leb(count + 1), reader.rest(), ...entry].map(bytes));
}

/**
 * @param {Uint8Array} content
 * @returns {Export[]}
 */
function exportsOf(content) {
  const reader = new Reader(content);
  return Array.from({ length: reader.number() }, () => ({
    name: reader.name(),
    kind: reader.byte(),
    index: reader.number(),
  }));
}

/** @param {Export[]} rows */
function exportSection(rows) {
  const parts = rows.map((row) => Buffer.concat([name(row.name), [row.kind], leb(row.index)].map(bytes)));
  return Buffer.concat([bytes(leb(rows.length)), ...parts]);
}

/**
 * The indexes of the mutable globals that the module defines itself.
 * @param {Section[]} sections
 */
function mutableGlobals(sections) {
  const first = importedGlobals(only(sections, IMPORT).content);
  const reader = new Reader(only(sections, GLOBAL).content);
  const found = [];
  const count = reader.number();
  for (let at = 0; at < count; at += 1) {
    reader.byte();
    const mutable = reader.byte() === 1;
    skipConstant(reader);
    if (mutable) found.push(first + at);
  }
  return found;
}

/** @param {Uint8Array} content of the import section */
function importedGlobals(content) {
  const reader = new Reader(content);
  let globals = 0;
  for (let left = reader.number(); left > 0; left -= 1) {
    reader.name();
    reader.name();
    const kind = reader.byte();
    if (kind === 0) reader.number();
    else if (kind === 1) skipLimits(reader, reader.byte());
    else if (kind === MEMORY_KIND) skipLimits(reader);
    else if (kind === GLOBAL_KIND) globals += reader.bytes(2) && 1;
    else if (kind === 4) reader.bytes(1) && reader.number();
    else throw new Error(`the WebAssembly module imports something of an unknown kind ${kind}`);
  }
  return globals;
}

/**
 * @param {Reader} reader
 * @param {number} [_type] of a table's elements
 */
function skipLimits(reader, _type) {
  const flags = reader.byte();
  reader.number();
  if (flags & 1) reader.number();
}

/** @param {Reader} reader at a constant expression of one instruction */
function skipConstant(reader) {
  const opcode = reader.byte();
  if (opcode === 0x41 || opcode === 0x42 || opcode === 0x23 || opcode === 0xd2) reader.number();
  else if (opcode === 0x43) reader.bytes(4);
  else if (opcode === 0x44) reader.bytes(8);
  else if (opcode === 0xd0) reader.byte();
  else throw new Error(`the WebAssembly module initialises a global with an unknown instruction ${opcode}`);
  if (reader.byte() !== END) throw new Error("the WebAssembly module initialises a global with several instructions");
}

/** @param {number} value */
function leb(value) {
  const found = [];
  do {
    found.push((value % 128) | (value >= 128 ? 128 : 0));
    value = Math.floor(value / 128);
  } while (value > 0);
  return found;
}

/** @param {string} text */
function name(text) {
  const encoded = Buffer.from(text);
  return [...leb(encoded.length), ...encoded];
}

/** @param {Uint8Array | number[]} values */
function bytes(values) {
  return values instanceof Uint8Array ? values : Uint8Array.from(values);
}
