// The edge worker: one Pyodide that has loaded the app, behind one function from request to reply.
//
// Adapters (serve.mjs, index.mjs) call boot() and handle(), which keep the request as it was sent; platforms
// that speak Web Request and Response use the default export, a thin face of the same.
import { readFile } from "node:fs/promises";

import { collect } from "./body.mjs";
import { send } from "./fetch.mjs";
import { entries } from "./zip.mjs";

/**
 * A request. `target` is as sent, one character per byte; `headers` are names and values in turn; `cdn` says
 * that the adapter vouches for the `cloudfront-viewer-*` headers.
 * @typedef {object} Exchange
 * @property {string} method
 * @property {string} target
 * @property {string} scheme
 * @property {string} httpVersion
 * @property {string[]} headers
 * @property {[string, number] | null} client
 * @property {[string, number] | null} server
 * @property {boolean} cdn
 * @property {Uint8Array | null | undefined} body undefined if it is larger than any route takes: the app refuses it
 */

/**
 * An answer. A streamed body fails if the app breaks off; `done` resolves when the app has ended, which may
 * be after the last byte.
 * @typedef {object} Reply
 * @property {number} status
 * @property {string[]} headers
 * @property {Uint8Array | ReadableStream<Uint8Array> | null} body
 * @property {Promise<void>} done
 */

/**
 * @typedef {object} Worker
 * @property {Settings} settings
 * @property {(exchange: Exchange, signal?: AbortSignal) => Promise<Reply>} handle rejects with `Fatal` if
 *   Pyodide is dead, otherwise only if `signal` is aborted before the reply begins
 * @property {(target: string) => boolean} owns whether this worker answers the target, or the origin does
 */

/**
 * What the build says of this artifact: `worker.json`.
 * @typedef {object} Settings
 * @property {string} function
 * @property {number} max_body_size in bytes, that of the route which takes the most
 * @property {number} max_duration in seconds
 * @property {number} memory in MB
 */

/**
 * What is used of Pyodide and of the Python functions of `runtimes.edge`.
 * @typedef {object} Bridge
 * @property {(number: number, head: string, body: Uint8Array | undefined) => void} handle
 * @property {(number: number) => void} disconnect
 * @property {(target: string) => boolean} owns
 *
 * @typedef {object} FileSystem
 * @property {(path: string) => void} mkdirTree
 * @property {(path: string, content: Uint8Array, options: { canOwn: boolean }) => void} writeFile
 * @property {(path: string, mode: number) => void} chmod
 */

const ROOT = "/app";
/** As on Lambda, only /tmp can be written. */
const READ_ONLY = 0o555;
const QUEUE_BYTES = 64 * 1024;
const LOCK_INFO = { arch: "wasm32", platform: "emscripten", abi_version: "2026_0", python: "3.14.2", version: "1" };

/** The interpreter cannot go on; the process should end and be replaced. */
export class Fatal extends Error {}

/**
 * Start Pyodide and load the app.
 * @param {Record<string, string | undefined>} env exactly what the app sees as os.environ
 * @returns {Promise<Worker>}
 */
export async function boot(env) {
  const [{ loadPyodide }, app, settings] = await Promise.all([
    import(file("pyodide/pyodide.mjs").href),
    readFile(file("app.zip")),
    readFile(file("worker.json"), "utf8"),
  ]);
  const python = await loadPyodide({
    // An inline lock without packages: nothing is looked up or fetched.
    lockFileContents: { info: LOCK_INFO, packages: {} },
    env: { PYTHONPATH: ROOT, PYTHONDONTWRITEBYTECODE: "1" },
    fsInit: (/** @type {FileSystem} */ fileSystem) => unpack(app, fileSystem),
  });
  for (const folder of ["/", "/home", "/home/pyodide", "/home/web_user"]) python.FS.chmod(folder, READ_ONLY);
  const open = new Map();
  const edge = python.pyimport("runtimes.edge");
  const bridge = edge.start(ROOT, JSON.stringify(env), host(open));
  edge.destroy();
  const functions = { handle: bridge.handle, disconnect: bridge.disconnect, owns: bridge.owns };
  return serving(functions, open, JSON.parse(settings));
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

/**
 * A JSON error that the app has no part in.
 * @param {number} status
 * @param {string} error
 * @returns {Reply}
 */
export function refusal(status, error) {
  const body = new TextEncoder().encode(JSON.stringify({ error }));
  const headers = ["content-type", "application/json", "content-length", String(body.byteLength)];
  return { status, headers, body, done: Promise.resolve() };
}

/** @param {string} name */
function file(name) {
  return new URL(name, import.meta.url);
}

/**
 * @param {Uint8Array} archive
 * @param {FileSystem} fileSystem
 */
function unpack(archive, fileSystem) {
  const folders = new Set([ROOT]);
  for (const { path, content } of entries(archive)) {
    const target = `${ROOT}/${path}`;
    for (let end = target.indexOf("/", ROOT.length + 1); end > 0; end = target.indexOf("/", end + 1)) {
      folders.add(target.slice(0, end));
    }
    fileSystem.mkdirTree(target.slice(0, target.lastIndexOf("/")));
    fileSystem.writeFile(target, content, { canOwn: true });
    fileSystem.chmod(target, READ_ONLY);
  }
  for (const folder of folders) fileSystem.chmod(folder, READ_ONLY);
}

/**
 * The functions that Python calls; see `Host` in runtimes/edge.py. Its None is undefined here, and the other way round.
 * @param {Map<number, Pending>} open
 */
function host(open) {
  return {
    /** @type {(number: number, head: string, body: Uint8Array | undefined, more: boolean) => void} */
    start: (number, head, body, more) => open.get(number)?.start(head, body, more),
    /** @type {(number: number, body: Uint8Array | undefined, more: boolean) => Promise<void> | undefined} */
    chunk: (number, body, more) => open.get(number)?.chunk(body, more),
    /** @type {(number: number, failed: boolean) => void} */
    done(number, failed) {
      const pending = open.get(number);
      open.delete(number);
      pending?.end(failed);
    },
    fetch: send,
  };
}

/**
 * @param {Bridge} bridge
 * @param {Map<number, Pending>} open
 * @param {Settings} settings
 * @returns {Worker}
 */
function serving(bridge, open, settings) {
  let last = 0;
  return {
    settings,
    owns: (target) => bridge.owns(target),
    handle(exchange, signal) {
      if (signal?.aborted) return Promise.reject(signal.reason);
      const number = (last += 1);
      const pending = new Pending(() => bridge.disconnect(number));
      open.set(number, pending);
      try {
        bridge.handle(number, headOf(exchange), exchange.body?.byteLength ? exchange.body : undefined);
      } catch (error) {
        // Python catches whatever the app raises, so what arrives here is the end of the interpreter.
        open.delete(number);
        return Promise.reject(new Fatal("the Python interpreter has crashed", { cause: error }));
      }
      if (signal !== undefined && open.has(number)) {
        signal.addEventListener("abort", () => pending.abort(signal.reason), { once: true });
      }
      return pending.reply;
    },
  };
}

/** @param {Exchange} exchange */
function headOf({ method, target, scheme, httpVersion, headers, client, server, cdn, body }) {
  const oversized = body === undefined;
  return JSON.stringify({ method, target, scheme, http_version: httpVersion, headers, client, server, cdn, oversized });
}

/** A request that Python has not ended. */
class Pending {
  /** @type {PromiseWithResolvers<Reply>} */
  #reply = Promise.withResolvers();
  /** @type {PromiseWithResolvers<void>} */
  #done = Promise.withResolvers();
  /** @type {ReadableStreamDefaultController<Uint8Array> | undefined} */
  #stream;
  /** @type {(() => void) | undefined} */
  #wake;
  #disconnect;

  /** @param {() => void} disconnect tells the app that nobody reads on */
  constructor(disconnect) {
    this.#disconnect = disconnect;
  }

  get reply() {
    return this.#reply.promise;
  }

  /**
   * @param {string} head
   * @param {Uint8Array | undefined} body
   * @param {boolean} more
   */
  start(head, body, more) {
    const [status, headers] = JSON.parse(head);
    const done = this.#done.promise;
    this.#reply.resolve({ status, headers, body: more ? this.#streamed(body) : (body ?? null), done });
  }

  /**
   * @param {Uint8Array | undefined} body
   * @param {boolean} more
   * @returns {Promise<void> | undefined} to wait for if the reader is behind
   */
  chunk(body, more) {
    const stream = this.#stream;
    if (stream === undefined) return undefined;
    if (body !== undefined) stream.enqueue(body);
    if (!more) {
      this.#stream = undefined;
      stream.close();
      return undefined;
    }
    if ((stream.desiredSize ?? 0) > 0) return undefined;
    return new Promise((resolve) => (this.#wake = resolve));
  }

  /** @param {boolean} failed */
  end(failed) {
    if (failed) {
      const torn = new Error("the app broke off its response");
      this.#stream?.error(torn);
      this.#reply.promise.catch(() => undefined);
      this.#reply.reject(torn);
    }
    this.#stream = undefined;
    this.#done.resolve();
  }

  /** @param {unknown} reason */
  abort(reason) {
    this.#stream?.error(reason);
    this.#reply.promise.catch(() => undefined);
    this.#reply.reject(reason);
    this.#leave();
  }

  #leave() {
    this.#stream = undefined;
    this.#disconnect();
    this.#wake?.();
  }

  /** @param {Uint8Array | undefined} first */
  #streamed(first) {
    return new ReadableStream(
      {
        start: (controller) => {
          this.#stream = controller;
          if (first !== undefined) controller.enqueue(first);
        },
        pull: () => this.#wake?.(),
        cancel: () => this.#leave(),
      },
      { highWaterMark: QUEUE_BYTES, size: (chunk) => chunk.byteLength },
    );
  }
}
