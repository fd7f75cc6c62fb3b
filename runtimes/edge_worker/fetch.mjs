// Requests that the app sends itself: Python has no sockets here, the platform has fetch.
import { collect } from "./body.mjs";

/** What fetch decodes, whether it was asked for or not; the answer is no longer encoded then. */
const DECODED = new Set(["br", "deflate", "gzip", "x-gzip", "zstd"]);

/**
 * Send a request; redirects are answers. Never rejects: a failure is an answer too.
 * @param {string} head see `Host.fetch` in runtimes/edge/bridge.py
 * @param {Uint8Array<ArrayBuffer> | undefined} body
 * @returns {Promise<[head: string, body: Uint8Array | undefined]>}
 */
export async function send(head, body) {
  const { method, url, headers, timeout, limit } = JSON.parse(head);
  try {
    const signal = AbortSignal.timeout(timeout);
    const response = await fetch(url, { method, headers: pairs(headers), body, redirect: "manual", signal });
    const content = response.body === null ? undefined : await collect(response.body, limit);
    if (response.body !== null && content === undefined) return failure(`its answer is larger than ${limit} bytes`);
    return [JSON.stringify({ status: response.status, headers: headersOf(response, method) }), content];
  } catch (error) {
    return failure(reasonOf(error, timeout));
  }
}

/**
 * @param {string} error
 * @returns {[string, undefined]}
 */
function failure(error) {
  return [JSON.stringify({ error }), undefined];
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
  const codings = (headers.get("content-encoding") ?? "").split(",").map((coding) => coding.trim().toLowerCase());
  const decoded = body !== null && method !== "HEAD" && codings.every((coding) => DECODED.has(coding));
  return [...headers].filter(([name]) => !(decoded && name === "content-encoding")).flat();
}

/**
 * A reason for the log, without the URL, which may hold what belongs in no log.
 * @param {unknown} error
 * @param {number} timeout
 */
function reasonOf(error, timeout) {
  if (!(error instanceof Error)) return "it gave no valid answer";
  if (error.name === "TimeoutError") return `there was no whole answer after ${timeout / 1000} seconds`;
  const cause = /** @type {{ code?: string, message?: string } | undefined} */ (error.cause);
  return cause?.code ?? cause?.message ?? `it gave no valid answer (${error.name})`;
}
