// The edge worker: one Pyodide that has loaded the app, behind one function from request to reply.
//
// Adapters (http_server.mjs, http_api.mjs, cloudfront.mjs) have a supervisor call boot() and handle(), which keep the
// request as it was sent; platforms that speak Web Request and Response use the default export, a thin face of the same.
import { readFileSync } from "node:fs";

import { collect } from "./body.mjs";
import { Open, host, serving } from "./bridge.mjs";
import { APP } from "./files.mjs";
import { mostMemory } from "./heap.mjs";

/** @import { Settings, Worker } from "./bridge.mjs" */

const FOLDER = new URL("./", import.meta.url);
/** Python's memory never shrinks: with less than this share of it to come, a fresh process serves better. */
const FULL = 0.85;

/**
 * Start Python with the app, from the snapshot or by importing everything.
 * @param {Record<string, string | undefined>} env exactly what the app sees as os.environ
 * @param {Uint8Array} [entropy] random bytes that nobody else has; without them the system is asked, which takes a while
 * @returns {Promise<Worker>}
 */
export async function boot(env, entropy) {
  /** @type {Settings} */
  const settings = JSON.parse(readFileSync(new URL("worker.json", FOLDER), "utf8"));
  const python =
    settings.loader === "stock"
      ? await (await import("./stock.mjs")).load(FOLDER, settings)
      : await (await import("./restore.mjs")).restore(FOLDER, settings, entropy);
  const open = new Open();
  const start = python.pyimport("runtimes.edge.start");
  const variables = JSON.stringify(env);
  const bridge = settings.identity ? start.resume(variables, host(open)) : start.start(APP, variables, host(open));
  start.destroy();
  const functions = { handle: bridge.handle, disconnect: bridge.disconnect, owns: bridge.owns };
  const first = python._module.HEAPU8.length;
  const full = first + (mostMemory(settings.memory, first) - first) * FULL;
  return { ...serving(functions, open, settings), full: () => python._module.HEAPU8.length > full };
}

/** @type {Promise<Worker> | undefined} */
let booted;

export default {
  /**
   * @param {Request} request
   * @param {Record<string, string>} env its strings become os.environ when the first request boots the worker
   * @param {{ waitUntil?: (work: Promise<unknown>) => void }} [ctx]
   * @returns {Promise<Response>}
   */
  async fetch(request, env, ctx) {
    const strings = Object.fromEntries(Object.entries(env ?? {}).filter(([, value]) => typeof value === "string"));
    booted ??= boot(strings);
    const worker = await booted;
    const url = new URL(request.url);
    const body = request.body === null ? null : await collect(request.body, worker.settings.max_body_size);
    const reply = await worker.handle(
      {
        method: request.method,
        target: url.pathname + url.search,
        scheme: url.protocol.slice(0, -1),
        httpVersion: "1.1",
        headers: [...(request.headers.has("host") ? [] : ["host", url.host]), ...[...request.headers].flat()],
        client: null,
        server: [url.hostname, Number(url.port) || (url.protocol === "http:" ? 80 : 443)],
        cdn: false,
        body,
      },
      request.signal,
    );
    ctx?.waitUntil?.(reply.done);
    const headers = new Headers();
    for (let at = 0; at < reply.headers.length; at += 2) headers.append(reply.headers[at], reply.headers[at + 1]);
    const content = /** @type {ConstructorParameters<typeof Response>[0]} */ (reply.body);
    return new Response(content, { status: reply.status, headers });
  },
};
