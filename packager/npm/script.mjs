// Rewrites pyodide.asm.mjs: from what serves every web page and every C library to what one worker on Node needs.
//
// Whatever it cuts is unreachable in the worker; whatever it patches must be there exactly as often as expected.
import { parse } from "acorn";
import { minify } from "terser";

/**
 * @typedef {any} Node of the ESTree
 * @typedef {{ start: number, end: number, text: string }} Edit
 * @typedef {{ purpose: string, old: string, new: string, times?: number }} Patch
 */

/** Members of Module that nothing but our own scripts and pyodide.mjs uses; the uses in the script itself are seen. */
const OURS = [
  "ENV",
  "ExitStatus",
  "LDSO",
  "newDSO",
  "loadWebAssemblyModule",
  "addRunDependency",
  "removeRunDependency",
  "_Py_Version",
  "mergeLibSymbols",
];

/** Exports that are looked up by a name which no use of theirs shows. */
const BY_NAME = ["__wasm_call_ctors", "__indirect_function_table", "main", "__main_argc_argv"];

/** @type {Patch[]} */
const LOADER = [
  {
    purpose: "the script's own require",
    old: 'const{createRequire}=await import("node:module");var require=createRequire(import.meta.url)',
    new: "",
  },
  { purpose: "the script's own address", old: "import.meta.url", new: "scriptUrl", times: 2 },
  // A library's place in memory and in the table is part of the heap: what the snapshot says holds.
  {
    purpose: "memory of libraries",
    old: "metadata.memorySize?alignMemory(getMemory(metadata.memorySize+memAlign),memAlign):0",
    new: 'Module["libraryBases"]?.[libName]??(metadata.memorySize?alignMemory(getMemory(metadata.memorySize+memAlign),memAlign):0)',
  },
  {
    purpose: "start of libraries",
    old: "if(metadata.tableSize){wasmTable.grow(metadata.tableSize)}var moduleExports;",
    new: 'Module["onLibrary"]?.(libName,memoryBase,tableBase,metadata);if(metadata.tableSize){wasmTable.grow(metadata.tableSize)}var moduleExports;',
  },
  // In a restored heap relocations are applied and constructors have run.
  {
    purpose: "relocations",
    old: "if(applyRelocs){if(runtimeInitialized)",
    new: 'if(applyRelocs&&!Module["restoring"]){if(runtimeInitialized)',
  },
  {
    purpose: "constructors of libraries",
    old: "if(init){if(runtimeInitialized)",
    new: 'if(init&&!Module["restoring"]){if(runtimeInitialized)',
  },
  {
    purpose: "constructors",
    old: 'wasmExports["__wasm_call_ctors"]();callRuntimeCallbacks',
    new: 'if(!Module["restoring"])wasmExports["__wasm_call_ctors"]();callRuntimeCallbacks',
  },
  // Which functions got which index of the table is recorded, and while restoring replayed instead of searched for.
  {
    purpose: "function table",
    old: "var addFunction=(func,sig)=>{",
    new: 'var addFunction=(func,sig)=>{if(Module["replay"])return Module["replay"](func,sig,wasmTable,wasmTableMirror,convertJsFunctionToWasm);var added=addToTable(func,sig);Module["onFunction"]?.(added);return added};var addToTable=(func,sig)=>{',
  },
  {
    purpose: "memory",
    old: 'memory=Module["memory"]=wasmMemory=wasmExports["memory"];',
    new: 'Module["memory"]=wasmMemory=Module["wasmMemory"];',
  },
  { purpose: "conversions", old: "wasmExports=Object.assign({},wasmExports);", new: "wasmExports={...wasmExports};" },
  {
    purpose: "linking of all exports",
    old: "assignWasmExports(wasmExports);updateGOT(origExports);",
    new: "assignWasmExports(wasmExports);",
  },
  // Loading Node's crypto takes longer than all else that starts Python: the main process gives some randomness along.
  {
    purpose: "randomness",
    old: 'var nodeCrypto=require("node:crypto");return view=>nodeCrypto.randomFillSync(view)',
    new: 'return Module["fillRandom"]??(view=>require("node:crypto").randomFillSync(view))',
  },
  // Nothing draws here: what only WebGL is called by stays without an address.
  {
    purpose: "WebGL",
    old: "if(entry.value==-1){var value=",
    new: 'if(symName.startsWith("emscripten_gl")){entry.value=0;continue}if(entry.value==-1){var value=',
  },
];

/**
 * The source of a script that evaluates to `(require, scriptUrl) => createPyodideModule`.
 * @param {string} source of pyodide.asm.mjs
 * @param {Patch[]} sandbox what the sandbox needs, whichever loader is used
 * @param {{ imports: Set<string>, exports: Set<string>, needed: Set<string> }} wasm what the module imports, what
 *   it exports, and what of both its libraries (.so) import
 * @returns {Promise<{ script: string, exports: Set<string> }>} with the exports of the module that the script uses
 * @throws {Error} if the source is not built as expected
 */
export async function distilled(source, sandbox, wasm) {
  const patched = patch(patch(source, sandbox), LOADER);
  const tree = parse(patched, { ecmaVersion: "latest", sourceType: "module" });
  const main = functionNamed(tree.body, "_createPyodideModule");
  const { edits, exports } = unused(main.body.body, patched, wasm);
  edits.push(...remnants(tree));
  const text = edited(patched, edits);
  const whole = `(function(require,scriptUrl){${text.slice(0, text.indexOf("export default"))}return _createPyodideModule})`;
  const { code } = await minify(whole, {
    ecma: 2020,
    mangle: false,
    compress: { passes: 3, unused: true, defaults: true, keep_fargs: true, expression: true },
    format: { semicolons: true },
  });
  return { script: /** @type {string} */ (code), exports };
}

/**
 * @param {string} source
 * @param {Patch[]} patches
 */
function patch(source, patches) {
  for (const { purpose, old, new: fresh, times = 1 } of patches) {
    const parts = source.split(old);
    if (parts.length !== times + 1) {
      throw new Error(`the place to patch for ${purpose} is there ${parts.length - 1} times, not ${times}`);
    }
    source = parts.join(fresh);
  }
  return source;
}

/**
 * The edits that take out what nothing uses: members of Module, exports and imports of the WebAssembly module.
 * @param {Node[]} body of the module's function
 * @param {string} source
 * @param {{ imports: Set<string>, exports: Set<string>, needed: Set<string> }} wasm
 */
function unused(body, source, wasm) {
  const assign = functionNamed(body, "assignWasmExports");
  const rows = assign.body.body.map(assignment);
  const members = new Map(body.map((node) => [node, memberOf(node)]));
  const signatures = body.filter((node) => signatureOf(node) !== undefined);
  const imports = body.flatMap((node) => node.declarations ?? []).find((row) => row.id.name === "wasmImports").init;
  const conversions = functionNamed(body, "applySignatureConversions").body.body;
  const skipped = new Set([
    assign,
    imports,
    ...signatures,
    ...conversions,
    ...[...members].filter(([, name]) => name).map(([node]) => node),
  ]);
  skipped.add(
    body.find((node) => node.declarations?.some((/** @type {Node} */ row) => row.id.name === rows[0].names[0])),
  );
  const used = usesOf(body, skipped, rows);
  /** @type {Edit[]} */
  const edits = [];
  for (const [node, name] of members) if (name && !used.members.has(name)) edits.push(cut(node));
  const keptImports = (/** @type {string} */ name) => wasm.imports.has(name) || wasm.needed.has(name);
  for (const row of imports.properties) {
    if (!keptImports(keyOf(row))) edits.push(cutWithComma(row, source));
    else for (const name of namesIn(row.value)) used.names.add(name);
  }
  for (const node of signatures) if (!used.names.has(signatureOf(node))) edits.push(cut(node));
  const exports = new Set([...wasm.needed, ...BY_NAME].filter((name) => wasm.exports.has(name)));
  for (const row of rows) {
    if (
      row.names.some((/** @type {string} */ name) => used.names.has(name)) ||
      row.members.some((/** @type {string} */ name) => used.members.has(name))
    )
      exports.add(row.export);
    else edits.push(cut(row.node));
  }
  for (const node of conversions) {
    const name = convertedExport(node);
    if (name !== undefined && !exports.has(name)) edits.push(cut(node));
  }
  return { edits, exports };
}

/**
 * The names of variables and of members of Module that are used in `body`, outside of the nodes `skipped`.
 * @param {Node[]} body
 * @param {Set<Node>} skipped
 * @param {{ names: string[] }[]} rows
 */
function usesOf(body, skipped, rows) {
  const names = new Set();
  const members = new Set(OURS);
  const variables = new Set(rows.flatMap((row) => row.names));
  for (const statement of body) {
    for (const node of nodes(statement, skipped)) {
      if (node.type === "Identifier") names.add(node.name);
      const member = node.type === "MemberExpression" && (node.computed ? node.property.value : node.property.name);
      if (typeof member === "string") members.add(member);
      if (node.type === "Property" && node.key.type === "Identifier") members.add(node.key.name);
    }
  }
  // A variable that is also a member's name somewhere counts as used: better too much than too little.
  for (const name of members) if (variables.has(name)) names.add(name);
  return { names, members };
}

/** @param {Node} tree */
function remnants(tree) {
  /** @type {Edit[]} */
  const edits = [];
  for (const node of nodes(tree, new Set())) {
    if (node.type === "CallExpression" && node.callee.type === "Identifier" && node.callee.name === "eval") {
      edits.push({ start: node.callee.start, end: node.callee.end, text: "noEval" });
    } else if (node.type === "AwaitExpression" && node.argument.type === "ImportExpression") {
      const { source } = node.argument;
      if (source.value === "ws") edits.push({ start: node.start, end: node.end, text: "({})" });
      else if (source.type === "Literal")
        edits.push({ start: node.start, end: node.end, text: `require(${JSON.stringify(source.value)})` });
    }
  }
  edits.push({
    start: 0,
    end: 0,
    text: 'function noEval(){throw new Error("JavaScript code in a library is not run here")}',
  });
  return edits;
}

/** @param {Node} node `X = Module["X"] = wasmExports["x"]`, perhaps with `.value>>>0` */
function assignment(node) {
  const names = [];
  const members = [];
  let value = node.expression;
  for (; value.type === "AssignmentExpression"; value = value.right) {
    if (value.left.type === "Identifier") names.push(value.left.name);
    else members.push(value.left.property.value ?? value.left.property.name);
  }
  if (value.type === "BinaryExpression") value = value.left.object;
  if (value.object?.name !== "wasmExports") return { node, names: ["wasmMemory"], members, export: "memory" };
  return { node, names, members, export: value.property.value };
}

/** @param {Node} node @returns {string | undefined} X of the statement `Module["X"] = X` */
function memberOf(node) {
  const row = node.type === "ExpressionStatement" && node.expression;
  if (!row || row.type !== "AssignmentExpression" || row.right.type !== "Identifier") return undefined;
  const { left } = row;
  return left.type === "MemberExpression" && left.object.name === "Module"
    ? (left.property.value ?? left.property.name)
    : undefined;
}

/** @param {Node} node @returns {string | undefined} X of the statement `X.sig = "…"` */
function signatureOf(node) {
  const left =
    node.type === "ExpressionStatement" && node.expression.type === "AssignmentExpression" && node.expression.left;
  return left && left.type === "MemberExpression" && left.property.name === "sig" ? left.object.name : undefined;
}

/** @param {Node} node @returns {string | undefined} x of the statement `wasmExports["x"] = …` */
function convertedExport(node) {
  const left = node.type === "ExpressionStatement" && node.expression.left;
  return left && left.type === "MemberExpression" && left.object.name === "wasmExports"
    ? left.property.value
    : undefined;
}

/** @param {Node} node @returns {string} */
function keyOf(node) {
  return node.key.name ?? node.key.value;
}

/** @param {Node} node */
function namesIn(node) {
  return [...nodes(node, new Set())].filter(({ type }) => type === "Identifier").map(({ name }) => name);
}

/**
 * @param {Node[]} body
 * @param {string} name
 */
function functionNamed(body, name) {
  const found = body.filter((node) => node.type === "FunctionDeclaration" && node.id.name === name);
  if (found.length !== 1) throw new Error(`the function ${name} is there ${found.length} times`);
  return found[0];
}

/**
 * @param {Node} node
 * @param {Set<Node>} skipped
 * @returns {Generator<Node>}
 */
function* nodes(node, skipped) {
  if (skipped.has(node)) return;
  yield node;
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (typeof child?.type === "string") yield* nodes(child, skipped);
    }
  }
}

/** @param {Node} node @returns {Edit} */
function cut({ start, end }) {
  return { start, end, text: "" };
}

/**
 * @param {Node} node
 * @param {string} source
 * @returns {Edit}
 */
function cutWithComma({ start, end }, source) {
  return { start, end: source[end] === "," ? end + 1 : end, text: "" };
}

/**
 * @param {string} source
 * @param {Edit[]} edits none within another
 */
function edited(source, edits) {
  const parts = [];
  let at = 0;
  for (const { start, end, text } of edits.toSorted((one, other) => one.start - other.start)) {
    if (start < at) throw new Error("two changes of the script overlap");
    parts.push(source.slice(at, start), text);
    at = end;
  }
  return parts.join("") + source.slice(at);
}
