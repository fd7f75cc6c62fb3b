// Requests that the app sends itself: Python has no sockets here, the platform has fetch.
import { collect } from "./body.mjs";

/** What fetch decodes, whether it was asked for or not; the answer is no longer encoded then. */
const DECODED = new Set(["br", "deflate", "gzip", "x-gzip", "zstd"]);
const UNREACHED = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT"]);
const LATE = new Set(["UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT"]);

/**
 * Send a request; redirects are answers. Never rejects: a failure is an answer too.
 * @param {string} head see `Host.fetch` in runtimes/edge/bridge.py
 * @param {Uint8Array<ArrayBuffer> | undefined} body
 * @param {AbortSignal} given the answer is no longer wanted
 * @returns {Promise<[head: string, body: Uint8Array | undefined]>}
 */
export async function send(head, body, given) {
  const { method, url, headers, timeout, idle, limit } = JSON.parse(head);
  const patience = new Patience(given, timeout, idle);
  try {
    const { signal } = patience;
    const response = await fetch(url, { method, headers: pairs(headers), body, redirect: "manual", signal });
    patience.renew();
    const content = response.body === null ? undefined : await collect(patience.during(response.body), limit);
    if (response.body !== null && content === undefined)
      return failure(`its answer is larger than ${limit} bytes`, "size");
    return [JSON.stringify({ status: response.status, headers: headersOf(response, method) }), content];
  } catch (error) {
    return patience.late === undefined ? explained(error) : failure(patience.late, "timeout");
  } finally {
    patience.end();
  }
}

/** Gives up when the whole takes too long, or when nothing comes for too long; both in milliseconds, or null. */
class Patience {
  #controller = new AbortController();
  /** @type {NodeJS.Timeout | undefined} */
  #whole;
  /** @type {NodeJS.Timeout | undefined} */
  #waiting;
  #idle;
  /** Why it gave up. @type {string | undefined} */
  late;

  /**
   * @param {AbortSignal} given
   * @param {number | null} timeout
   * @param {number | null} idle
   */
  constructor(given, timeout, idle) {
    this.signal = AbortSignal.any([given, this.#controller.signal]);
    this.#idle = idle;
    if (timeout !== null) {
      this.#whole = setTimeout(
        () => this.#giveUp(`there was no whole answer after ${timeout / 1000} seconds`),
        timeout,
      );
    }
    this.renew();
  }

  renew() {
    clearTimeout(this.#waiting);
    const idle = this.#idle;
    if (idle !== null) this.#waiting = setTimeout(() => this.#giveUp(`nothing came for ${idle / 1000} seconds`), idle);
  }

  /** @param {AsyncIterable<Uint8Array>} chunks */
  async *during(chunks) {
    for await (const chunk of chunks) {
      this.renew();
      yield chunk;
    }
  }

  end() {
    clearTimeout(this.#whole);
    clearTimeout(this.#waiting);
  }

  /** @param {string} why */
  #giveUp(why) {
    this.late = why;
    this.#controller.abort();
  }
}

/**
 * @param {string} error
 * @param {"connect" | "connect-timeout" | "timeout" | "size" | "answer"} kind see `TransportError` in runtimes/transport.py
 * @returns {[string, undefined]}
 */
function failure(error, kind) {
  return [JSON.stringify({ error, kind }), undefined];
}

/** @param {string[]} flat */
function pairs(flat) {
  /** @type {[string, string][]} */
  const rows = [];
  for (let at = 0; at < flat.length; at += 2) rows.push([flat[at], flat[at + 1]]);
  return rows;
}

/**
 * @param {Response} response
 * @param {string} method
 */
function headersOf({ headers, body }, method) {
  const encoded = headers.get("content-encoding");
  const codings = (encoded ?? "").split(",").map((coding) => coding.trim().toLowerCase());
  const decoded =
    encoded !== null && body !== null && method !== "HEAD" && codings.every((coding) => DECODED.has(coding));
  return [...headers]
    .filter(([name]) => !(decoded && (name === "content-encoding" || name === "content-length")))
    .flat();
}

/**
 * A reason for the log, without the URL, which may hold what belongs in no log.
 * @param {unknown} error
 */
function explained(error) {
  if (!(error instanceof Error)) return failure("it gave no valid answer", "answer");
  const { code, message } = /** @type {{ code?: string, message?: string }} */ (error.cause ?? {});
  const why = code ?? message ?? `it gave no valid answer (${error.name})`;
  if (code === "UND_ERR_CONNECT_TIMEOUT") return failure(why, "connect-timeout");
  if (code !== undefined && LATE.has(code)) return failure(why, "timeout");
  return failure(why, code !== undefined && UNREACHED.has(code) ? "connect" : "answer");
}
