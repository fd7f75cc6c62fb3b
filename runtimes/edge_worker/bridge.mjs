// From requests to calls of Python, and from what Python calls to replies.
import { send } from "./fetch.mjs";

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
 * @property {(target: string) => boolean | Promise<boolean>} owns whether this worker answers the target, or the
 *   origin does
 * @property {() => boolean} [full] whether Python's memory has grown as large as it may
 */

/**
 * What the build says of this artifact: `worker.json`.
 * @typedef {object} Settings
 * @property {string} function
 * @property {number} max_body_size in bytes, that of the route which takes the most
 * @property {number} max_duration in seconds
 * @property {number} memory in MB
 * @property {"snapshot" | "stock"} [loader] the former if not said
 * @property {string} [identity] of the snapshot, if there is one
 */

/**
 * What is used of Pyodide and of the Python functions of `runtimes.edge`.
 * @typedef {object} Bridge
 * @property {(number: number, head: number, body: number, fields: number, large?: Uint8Array) => number} handle
 * @property {(number: number) => void} disconnect
 * @property {(target: string) => boolean} owns
 *
 * @typedef {object} SharedBytes a Python `bytearray`
 * @property {() => SharedBytes} copy
 * @property {(type: string) => { data: Uint8Array<ArrayBuffer>, release: () => void }} getBuffer
 */

const QUEUE_BYTES = 64 * 1024;
/** How many fields come before the headers. */
const REQUEST_FIELDS = 2;
const ENDED = Promise.resolve();
/** `MAX_HEAD` of runtimes/edge/bridge.py. */
const MAX_HEAD = 2 ** 20;

/** The interpreter cannot go on; the process should end and be replaced. */
export class Fatal extends Error {}

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

/** What the two sides share: the requests that Python has not ended, and the buffers that messages lie in. */
export class Open {
  /** @type {Map<number, Pending>} */
  pending = new Map();
  /** @type {Map<number, AbortController>} */
  fetches = new Map();
  /** @type {Shared | undefined} */
  requests;
  /** @type {Shared | undefined} */
  answers;
  /** The message that did not fit. @type {Uint8Array<ArrayBuffer> | undefined} */
  large;

  /**
   * Take the answer's message out of Python's memory.
   * @param {number} sizes see `Bridge.put` in runtimes/edge/bridge.py
   * @returns {{ head: string, body: Uint8Array<ArrayBuffer> | undefined }}
   */
  take(sizes) {
    const headSize = sizes % MAX_HEAD;
    const size = headSize + (sizes - headSize) / MAX_HEAD;
    const { large } = this;
    this.large = undefined;
    const bytes = large === undefined ? /** @type {Shared} */ (this.answers).bytes() : bufferOf(large);
    const head = bytes.toString("latin1", 0, headSize);
    if (size === headSize) return { head, body: undefined };
    return {
      head,
      body: large === undefined ? new Uint8Array(bytes.subarray(headSize, size)) : large.subarray(headSize),
    };
  }
}

/** A `bytearray`. Its place in memory is fixed, but views of memory end when memory grows. */
class Shared {
  #array;
  #view;

  /** @param {SharedBytes} array */
  constructor(array) {
    this.#array = array.copy();
    this.#view = this.#viewed();
  }

  bytes() {
    if (this.#view.byteLength === 0) this.#view = this.#viewed();
    return this.#view;
  }

  #viewed() {
    const lock = this.#array.getBuffer("u8");
    const view = bufferOf(lock.data);
    lock.release();
    return view;
  }
}

/** @param {Uint8Array<ArrayBuffer>} bytes */
function bufferOf({ buffer, byteOffset, byteLength }) {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/**
 * The functions that Python calls; see `Host` in runtimes/edge/bridge.py. Its None is undefined here, and the other way round.
 * @param {Open} open
 */
export function host(open) {
  return {
    /** @type {(requests: SharedBytes, answers: SharedBytes) => void} */
    share(requests, answers) {
      open.requests = new Shared(requests);
      open.answers = new Shared(answers);
    },
    /** @type {(message: Uint8Array<ArrayBuffer>) => void} */
    large(message) {
      open.large = message;
    },
    /** @type {(number: number, sizes: number, more: boolean) => void} */
    start: (number, sizes, more) => open.pending.get(number)?.start(open.take(sizes), more),
    /** @type {(number: number, sizes: number, more: boolean) => Promise<void> | undefined} */
    chunk: (number, sizes, more) => open.pending.get(number)?.chunk(open.take(sizes).body, more),
    /** @type {(number: number, failed: boolean) => void} */
    done(number, failed) {
      const pending = open.pending.get(number);
      open.pending.delete(number);
      pending?.end(failed);
    },
    /** @type {(number: number, head: string, body: Uint8Array<ArrayBuffer> | undefined) => Promise<[string, Uint8Array | undefined]>} */
    fetch(number, head, body) {
      const unwanted = new AbortController();
      open.fetches.set(number, unwanted);
      return send(head, body, unwanted.signal).finally(() => open.fetches.delete(number));
    },
    /** @type {(number: number) => void} */
    abort: (number) => open.fetches.get(number)?.abort(),
  };
}

/**
 * @param {Bridge} bridge
 * @param {Open} open
 * @param {Settings} settings
 * @returns {Worker}
 */
export function serving(bridge, open, settings) {
  let last = 0;
  return {
    settings,
    owns: (target) => bridge.owns(target),
    handle(exchange, signal) {
      if (signal?.aborted) return Promise.reject(signal.reason);
      const number = (last += 1);
      const pending = new Pending(() => bridge.disconnect(number));
      open.pending.set(number, pending);
      try {
        const sizes = ask(bridge, open, number, exchange);
        if (sizes > 0) {
          open.pending.delete(number);
          return Promise.resolve(whole(open.take(sizes), ENDED));
        }
        if (sizes < 0) pending.start(open.take(-sizes), false);
      } catch (error) {
        // Python catches whatever the app raises, so what arrives here is the end of the interpreter.
        open.pending.delete(number);
        return Promise.reject(new Fatal("the Python interpreter has crashed", { cause: error }));
      }
      if (signal !== undefined && open.pending.has(number)) {
        signal.addEventListener("abort", () => pending.abort(signal.reason), { once: true });
      }
      return pending.reply;
    },
  };
}

/**
 * Put the request into Python's memory, and Python to work.
 * @param {Bridge} bridge
 * @param {Open} open
 * @param {number} number
 * @param {Exchange} exchange
 */
function ask(bridge, open, number, { method, target, scheme, httpVersion, headers, client, server, cdn, body }) {
  const flags = (cdn ? "c" : "") + (body === undefined ? "o" : "");
  let head = `${method}\n${scheme}\n${httpVersion}\n${flags}\n${addressOf(client)}\n${addressOf(server)}\0${target}`;
  for (let at = 0; at < headers.length; at += 2) head += `\0${headers[at].toLowerCase()}\0${headers[at + 1]}`;
  const fields = REQUEST_FIELDS + headers.length;
  const size = head.length;
  const bodySize = body?.byteLength ?? 0;
  const bytes = /** @type {Shared} */ (open.requests).bytes();
  if (size + bodySize > bytes.byteLength) {
    const large = Buffer.allocUnsafeSlow(size + bodySize);
    large.write(head, "latin1");
    if (body) large.set(body, size);
    return bridge.handle(number, size, bodySize, fields, new Uint8Array(large.buffer));
  }
  bytes.write(head, "latin1");
  if (body) bytes.set(body, size);
  return bridge.handle(number, size, bodySize, fields);
}

/** @param {[string, number] | null} address */
function addressOf(address) {
  return address === null ? "\n" : `${address[0]}\n${address[1]}`;
}

/**
 * @param {{ head: string, body: Uint8Array | undefined }} message
 * @param {Promise<void>} done
 * @returns {Reply}
 */
function whole({ head, body }, done) {
  const headers = head.split("\0");
  return { status: Number(headers.shift()), headers, body: body ?? null, done };
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
   * @param {{ head: string, body: Uint8Array | undefined }} message
   * @param {boolean} more
   */
  start(message, more) {
    const reply = whole(message, this.#done.promise);
    if (more) reply.body = this.#streamed(message.body);
    this.#reply.resolve(reply);
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
