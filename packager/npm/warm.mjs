// Writes the code cache of an artifact that has its snapshot: node warm.mjs WORKER_FOLDER ARTIFACT_FOLDER
//
// Has to run under the very flags of V8 that the worker will have, which are none.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { setFlagsFromString } from "node:v8";
import { Script } from "node:vm";

const [folder, artifact] = process.argv.slice(2);
/** @param {string} name */
const ours = (name) => import(pathToFileURL(join(folder, name)).href);
const [{ Open, host, serving }, { encode, serialized }, { restore, sourcesOf }] = await Promise.all(
  ["bridge.mjs", "code_cache.mjs", "restore.mjs"].map(ours),
);
const settings = JSON.parse(readFileSync(join(artifact, "worker.json"), "utf8"));
const JSON_TYPE = ["content-type", "application/json"];
const REQUESTS = [
  { method: "GET", target: "/exercise?name=value&other=%C3%A9", headers: ["cookie", "a=b; c=d"] },
  { method: "HEAD", target: "/exercise/7", headers: [] },
  {
    method: "POST",
    target: "/exercise/7",
    headers: JSON_TYPE,
    body: '{"name": "value", "list": [1, 2.5, null, true]}',
  },
  { method: "PUT", target: "/exercise/7/a/b", headers: JSON_TYPE, body: "{}" },
  { method: "DELETE", target: "/exercise/7", headers: [] },
  { method: "OPTIONS", target: "/exercise", headers: [] },
  { method: "PATCH", target: "/exercise", headers: [] },
  { method: "GET", target: "/elsewhere", headers: [] },
];

// TurboFan at the first call, nothing thrown away: what runs now is what the worker finds compiled. Code that is not
// copied into its callers is half as much to load, and as fast.
const SPREADING = ["wasm-inlining", "wasm-loop-unrolling", "wasm-loop-peeling"];
for (const flag of ["liftoff", "flush-bytecode", ...SPREADING]) setFlagsFromString(`--no-${flag}`);
/** @type {{ script: Script, modules: WebAssembly.Module[] } | undefined} */
let code;
/** @type {any} */
let sources;
const python = await restore(
  pathToFileURL(`${artifact}/`),
  { ...settings, memory: 4096 },
  undefined,
  (/** @type {URL} */ url, /** @type {any} */ state) => {
    sources = sourcesOf(url, state);
    code = {
      script: new Script(sources.script.toString("latin1"), { filename: "pyodide.js" }),
      modules: sources.binaries.map((/** @type {Buffer<ArrayBuffer>} */ binary) => new WebAssembly.Module(binary)),
    };
    return code;
  },
);
const { script, modules } = /** @type {NonNullable<typeof code>} */ (code);
const open = new Open();
const start = python.pyimport("runtimes.edge.start");
const { handle, disconnect, owns } = start.rehearse(host(open));
const worker = serving({ handle, disconnect, owns }, open, settings);
for (let round = 0; round < 3; round += 1) {
  for (const { body, ...request } of REQUESTS) {
    const rest = { scheme: "http", httpVersion: "1.1", client: null, server: null, cdn: false };
    const reply = await worker.handle({ ...rest, ...request, body: body === undefined ? null : Buffer.from(body) });
    await reply.done;
  }
}
// Without Liftoff there is no dynamic tiering either. The flags are part of what the worker's process has to equal.
for (const flag of ["liftoff", "wasm-dynamic-tiering", "flush-bytecode", ...SPREADING]) setFlagsFromString(`--${flag}`);
writeFileSync(join(artifact, "code.bin"), encode(sources, [script.createCachedData(), ...modules.map(serialized)]));
process.exit(0);
