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
 */

const QUEUE_BYTES = 64 * 1024;

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

/**
 * The functions that Python calls; see `Host` in runtimes/edge/bridge.py. Its None is undefined here, and the other way round.
 * @param {Map<number, Pending>} open
 */
export function host(open) {
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
export function serving(bridge, open, settings) {
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
