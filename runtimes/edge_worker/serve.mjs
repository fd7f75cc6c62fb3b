// Serves this artifact alone on 127.0.0.1: node serve.mjs --port N [--behind-cdn]
//
// Variables and secrets come from the process's own environment. Prints `ready http://127.0.0.1:N` once the
// app is loaded, which runs in a process of its own.
import { parseArgs } from "node:util";

import { collect } from "./body.mjs";
import { refusal } from "./bridge.mjs";
import { Torn } from "./pending.mjs";
import { supervise } from "./supervisor.mjs";

/** @import { IncomingMessage, ServerResponse } from "node:http" */
/** @import { Exchange, Reply, Worker } from "./bridge.mjs" */

const HOST = "127.0.0.1";
const VIEWER = "cloudfront-viewer-";
/** What an HTTP API takes from a function (AWS Lambda quotas, payload of a synchronous invocation). */
const MAX_RESPONSE_BYTES = 6 * 2 ** 20;
/** How long a client may go on sending a body that was refused, so that it gets to read the answer. */
const REFUSED_MS = 5_000;
/** How long requests may go on after SIGTERM. */
const FAREWELL_MS = 2_000;
/** Longer than a proxy keeps idle connections, so that it never writes to one that is being closed. */
const IDLE_MS = 75_000;

const { port, behindCdn } = options();
process.on("uncaughtException", fail);
const supervised = supervise(new URL("./", import.meta.url), process.env, { maxResponse: MAX_RESPONSE_BYTES });
supervised.catch(fail);
// Loaded while the other process starts.
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
const listening = new Promise((resolve) => server.listen(port, HOST, () => resolve(undefined)));
await Promise.all([listening, supervised]);
const address = server.address();
console.log(`ready http://${HOST}:${typeof address === "object" ? address?.port : port}`);

/** Let requests that have begun come to their end, but not for ever. */
function leave() {
  // The app's process ends with this one.
  if (!server.listening) process.exit(0);
  server.close(() => process.exit(0));
  server.closeIdleConnections();
  setTimeout(() => process.exit(0), FAREWELL_MS);
}

function options() {
  try {
    const { values } = parseArgs({ options: { port: { type: "string" }, "behind-cdn": { type: "boolean" } } });
    const port = Number(values.port);
    if (values.port === undefined || !Number.isInteger(port) || port < 0 || port > 65_535) {
      throw new Error("--port takes a number from 0 to 65535");
    }
    return { port, behindCdn: values["behind-cdn"] === true };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\nusage: node serve.mjs --port N [--behind-cdn]`);
    return process.exit(2);
  }
}

/**
 * @param {Error} error
 * @returns {never}
 */
function fail(error) {
  console.error(error);
  process.exit(1);
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
  try {
    const body = hasBody(request) ? await bounded(request, worker.settings.max_body_size) : null;
    if (body === undefined) {
      const patience = setTimeout(() => request.socket.destroySoon(), REFUSED_MS).unref();
      request.resume().once("close", () => clearTimeout(patience));
    }
    await send(await worker.handle(exchangeOf(request, body), gone.signal), response);
  } catch (error) {
    if (gone.signal.aborted) return;
    if (!(error instanceof Torn)) console.error(error);
    if (response.headersSent) response.destroy();
    else await send(refusal(500, "Internal Server Error"), response);
  }
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
 * @returns {Exchange}
 */
function exchangeOf(request, body) {
  const { socket, headers } = request;
  const viewer = behindCdn ? headers["cloudfront-viewer-address"] : undefined;
  return {
    method: request.method ?? "GET",
    target: request.url ?? "/",
    scheme: "http",
    httpVersion: request.httpVersion,
    headers: behindCdn ? request.rawHeaders : withoutViewer(request.rawHeaders),
    client: typeof viewer === "string" ? addressOf(viewer) : [socket.remoteAddress ?? HOST, socket.remotePort ?? 0],
    server: [socket.localAddress ?? HOST, socket.localPort ?? 0],
    cdn: behindCdn,
    body,
  };
}

/** @param {string[]} headers */
function withoutViewer(headers) {
  const kept = [];
  for (let at = 0; at < headers.length; at += 2) {
    if (!headers[at].toLowerCase().startsWith(VIEWER)) kept.push(headers[at], headers[at + 1]);
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
