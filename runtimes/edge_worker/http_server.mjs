// An HTTP server in front of the worker: what serve.mjs and the Web Function have in common.
import { collect } from "./body.mjs";
import { refusal } from "./bridge.mjs";
import { FORBIDDEN, KEY_HEADER } from "./origin_key.mjs";
import { Torn } from "./pending.mjs";

/** @import { IncomingMessage, ServerResponse } from "node:http" */
/** @import { Exchange, Reply, Worker } from "./bridge.mjs" */
/** @import { Admits } from "./origin_key.mjs" */

/** What an HTTP API takes from a function (AWS Lambda quotas), and so what an answer may have everywhere. */
export const MAX_RESPONSE_BYTES = 6 * 2 ** 20;

const VIEWER = "cloudfront-viewer-";
const PATH_HEADER = "x-packager-path";
const LOOPBACK = "127.0.0.1";
/** How long a client may go on sending a body that was refused, so that it gets to read the answer. */
const REFUSED_MS = 5_000;
/** Longer than a proxy keeps idle connections, so that it never writes to one that is being closed. */
const IDLE_MS = 75_000;

/**
 * Where and how to serve.
 * @typedef {object} Site
 * @property {string} host
 * @property {number} port 0: any
 * @property {boolean} behindCdn whether the CDN's headers count
 * @property {string} scheme that of the clients' URLs
 * @property {Admits} [admits] see `originKey`
 * @property {number} farewell ms that requests may go on after SIGTERM
 */

/**
 * Serve until SIGTERM or SIGINT. Requests wait for the worker.
 * @param {Promise<Worker>} supervised
 * @param {Site} site
 * @returns {Promise<number>} the port, once it listens
 */
export async function listen(supervised, site) {
  // Loaded while the worker's process starts.
  const [{ createServer }, { pipeline }] = await Promise.all([import("node:http"), import("node:stream/promises")]);
  const server = createServer({ keepAliveTimeout: IDLE_MS });
  for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, leave);
  server.on("request", (request, response) => {
    const answered = supervised.then((worker) => answer(worker, request, response));
    answered.catch((error) => {
      console.error(error);
      response.destroy();
    });
  });
  server.on("error", fail);
  return new Promise((resolve) =>
    server.listen(site.port, site.host, () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : site.port);
    }),
  );

  /** Let requests that have begun come to their end, but not for ever. */
  function leave() {
    // The app's process ends with this one.
    if (!server.listening) process.exit(0);
    server.close(() => process.exit(0));
    server.closeIdleConnections();
    setTimeout(() => process.exit(0), site.farewell);
  }

  /**
   * @param {Worker} worker
   * @param {IncomingMessage} request
   * @param {ServerResponse} response
   */
  async function answer(worker, request, response) {
    const gone = new AbortController();
    response.on("close", () => {
      if (!response.writableFinished) gone.abort();
    });
    response.on("error", () => gone.abort());
    const key = request.headers[KEY_HEADER];
    if (site.admits && !site.admits(typeof key === "string" ? key : undefined)) {
      rest(request);
      response.writeHead(FORBIDDEN.status, { "content-type": "application/json" }).end(FORBIDDEN.body);
      return;
    }
    try {
      const body = hasBody(request) ? await bounded(request, worker.settings.max_body_size) : null;
      if (body === undefined) rest(request);
      await send(await worker.handle(exchangeOf(request, body, site), gone.signal), response);
    } catch (error) {
      if (gone.signal.aborted) return;
      if (!(error instanceof Torn)) console.error(error);
      if (response.headersSent) response.destroy();
      else await send(refusal(500, "Internal Server Error"), response);
    }
  }

  /**
   * @param {Reply} reply
   * @param {ServerResponse} response
   */
  async function send(reply, response) {
    response.strictContentLength = true;
    response.writeHead(reply.status, reply.headers);
    // Not by asking for ReadableStream, which takes Node milliseconds to load.
    if (reply.body === null || reply.body instanceof Uint8Array) response.end(reply.body ?? undefined);
    else await pipeline(reply.body, response);
  }
}

/**
 * @param {Error} error
 * @returns {never}
 */
export function fail(error) {
  console.error(error);
  process.exit(1);
}

/**
 * Read on what nobody wants, for a while.
 * @param {IncomingMessage} request
 */
function rest(request) {
  const patience = setTimeout(() => request.socket.destroySoon(), REFUSED_MS).unref();
  request.resume().once("close", () => clearTimeout(patience));
}

/** @param {IncomingMessage} request */
function hasBody({ headers }) {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

/**
 * The body, or undefined if it is too large; what was not read then is still to come.
 * @param {IncomingMessage} request
 * @param {number} limit
 */
async function bounded(request, limit) {
  if (Number(request.headers["content-length"] ?? 0) > limit) return undefined;
  return collect(request.iterator({ destroyOnReturn: false }), limit);
}

/**
 * @param {IncomingMessage} request
 * @param {Uint8Array | null | undefined} body
 * @param {Site} site
 * @returns {Exchange}
 */
function exchangeOf(request, body, { behindCdn, scheme }) {
  const { socket, headers } = request;
  const viewer = behindCdn ? headers["cloudfront-viewer-address"] : undefined;
  return {
    method: request.method ?? "GET",
    target: targetOf(request, behindCdn),
    scheme,
    httpVersion: request.httpVersion,
    headers: admitted(request.rawHeaders, behindCdn),
    client: typeof viewer === "string" ? addressOf(viewer) : [socket.remoteAddress ?? LOOPBACK, socket.remotePort ?? 0],
    server: [socket.localAddress ?? LOOPBACK, socket.localPort ?? 0],
    cdn: behindCdn,
    body,
  };
}

/**
 * The target as the client sent it: the CDN says what its path was.
 * @param {IncomingMessage} request
 * @param {boolean} behindCdn
 */
function targetOf({ url = "/", headers }, behindCdn) {
  const path = behindCdn ? headers[PATH_HEADER] : undefined;
  if (typeof path !== "string") return url;
  const query = url.indexOf("?");
  return query < 0 ? path : path + url.slice(query);
}

/**
 * Without the key, and without the viewer headers that nobody vouches for.
 * @param {string[]} flat
 * @param {boolean} behindCdn
 */
function admitted(flat, behindCdn) {
  const kept = [];
  for (let at = 0; at < flat.length; at += 2) {
    const name = flat[at].toLowerCase();
    if (name !== KEY_HEADER && (behindCdn || !name.startsWith(VIEWER))) kept.push(flat[at], flat[at + 1]);
  }
  return kept;
}

/**
 * `198.51.100.10:46532`, or an IPv6 address and a port, joined in the same way.
 * @param {string} viewer
 * @returns {[string, number]}
 */
function addressOf(viewer) {
  const colon = viewer.lastIndexOf(":");
  return [viewer.slice(0, colon).replace(/^\[|\]$/g, ""), Number(viewer.slice(colon + 1)) || 0];
}
