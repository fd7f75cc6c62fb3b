// CloudFront's origin-request event to the worker and back, as Lambda@Edge documents both.
import { STATUS_CODES } from "node:http";

import { collect } from "./body.mjs";
import { refusal } from "./bridge.mjs";
import { TooLarge, Torn } from "./pending.mjs";
import { bytesOf, textOf } from "./text.mjs";

/** @import { Exchange, Reply, Worker } from "./bridge.mjs" */

/**
 * @typedef {Record<string, { key?: string, value: string }[]>} EventHeaders
 *
 * @typedef {object} EventRequest
 * @property {string} clientIp
 * @property {string} method
 * @property {string} uri
 * @property {string} querystring
 * @property {EventHeaders} headers
 * @property {{ inputTruncated: boolean, encoding: "base64" | "text", data: string }} [body]
 * @property {{ custom?: { domainName: string } }} [origin]
 *
 * @typedef {object} GeneratedResponse
 * @property {string} status
 * @property {string} statusDescription
 * @property {EventHeaders} headers
 * @property {"text" | "base64"} bodyEncoding
 * @property {string} body
 */

/** AWS, "Quotas on Lambda@Edge": a generated response, headers and encoded body together. */
export const MAX_RESPONSE_BYTES = 2 ** 20;

// AWS, "Restrictions on edge functions": CloudFront answers 502 if a generated response has one of these.
const FORBIDDEN = new Set(
  ["connection", "content-length", "expect", "keep-alive", "trailer", "transfer-encoding", "upgrade", "via"].concat([
    "x-cache",
    "x-forwarded-proto",
    "x-real-ip",
  ]),
);
const FORBIDDEN_PREFIXES = ["proxy-", "x-accel-", "x-amz-cf-", "x-amzn-", "x-edge-"];
const TEXT = /^(?:text\/|application\/(?:json|javascript|xml|x-www-form-urlencoded)|[^;]*\+(?:json|xml))/i;

/**
 * Answer an origin-request event. A request for another function's route is given back, so that CloudFront sends it
 * to the origin.
 * @param {Worker} worker
 * @param {{ Records: { cf: { request: EventRequest } }[] }} event
 * @returns {Promise<EventRequest | GeneratedResponse>}
 */
export async function originRequest(worker, event) {
  const request = event.Records[0].cf.request;
  const target = bytesOf(request.querystring ? `${request.uri}?${request.querystring}` : request.uri);
  const body = bodyOf(request);
  const oversized = request.body?.inputTruncated || (body?.byteLength ?? 0) > worker.settings.max_body_size;
  try {
    if (!(await worker.owns(target))) return toOrigin(request);
    const reply = await worker.handle(exchangeOf(request, target, oversized ? undefined : body));
    const response = await generated(reply, request);
    // Lambda freezes the process once it has the response, so what runs after it has to end first.
    await reply.done;
    return response;
  } catch (error) {
    if (!(error instanceof Torn)) console.error(error);
    const tooLarge = error instanceof TooLarge;
    return generated(tooLarge ? refusal(502, "Bad Gateway") : refusal(500, "Internal Server Error"), request);
  }
}

/**
 * The request as the origin takes it: an HTTP API refuses another Host than its own, and CloudFront's policy for all
 * of the viewer's headers hands on the viewer's (AWS, "Lambda@Edge event structure", origin-request).
 * @param {EventRequest} request
 */
function toOrigin(request) {
  const host = request.origin?.custom?.domainName;
  if (host) request.headers.host = [{ key: "Host", value: host }];
  return request;
}

/** @param {string} name lower case */
export function isForbidden(name) {
  return FORBIDDEN.has(name) || FORBIDDEN_PREFIXES.some((prefix) => name.startsWith(prefix));
}

/**
 * @param {EventRequest} request
 * @param {string} target
 * @param {Uint8Array | null | undefined} body
 * @returns {Exchange}
 */
function exchangeOf({ clientIp, method, headers }, target, body) {
  const flat = [];
  for (const [name, values] of Object.entries(headers)) {
    for (const { value } of values) flat.push(name, bytesOf(value));
  }
  const host = headers.host?.[0].value ?? "localhost";
  const scheme = headers["cloudfront-forwarded-proto"]?.[0].value ?? "https";
  const server = /** @type {[string, number]} */ ([host, scheme === "https" ? 443 : 80]);
  return { method, target, scheme, httpVersion: "1.1", headers: flat, client: [clientIp, 0], server, cdn: true, body };
}

/** @param {EventRequest} request */
function bodyOf({ body }) {
  return body?.data ? Buffer.from(body.data, body.encoding === "text" ? "utf8" : "base64") : null;
}

/**
 * @param {Reply} reply
 * @param {EventRequest} request
 * @returns {Promise<GeneratedResponse>}
 */
async function generated(reply, request) {
  const streamed = reply.body instanceof ReadableStream;
  const body = reply.body instanceof ReadableStream ? await collect(reply.body, MAX_RESPONSE_BYTES) : reply.body;
  const response = encoded(reply, body ?? new Uint8Array());
  if ((streamed && body === undefined) || sizeOf(response) > MAX_RESPONSE_BYTES) {
    console.error(
      `${request.method} ${request.uri}: the response is larger than the ${MAX_RESPONSE_BYTES} bytes, headers included, ` +
        'that Lambda@Edge may answer; use runtime = "nodejs" for this route',
    );
    const { status, headers, body: error } = refusal(502, "Bad Gateway");
    return encoded({ status, headers }, /** @type {Uint8Array} */ (error));
  }
  return response;
}

/**
 * @param {Pick<Reply, "status" | "headers">} reply
 * @param {Uint8Array} body
 * @returns {GeneratedResponse}
 */
function encoded({ status, headers: flat }, body) {
  /** @type {EventHeaders} */
  const headers = {};
  for (let at = 0; at < flat.length; at += 2) {
    const name = flat[at].toLowerCase();
    if (!isForbidden(name)) (headers[name] ??= []).push({ key: flat[at], value: flat[at + 1] });
  }
  const isText = TEXT.test(headers["content-type"]?.[0].value ?? "") && !headers["content-encoding"];
  const text = body.byteLength === 0 ? "" : isText ? textOf(body) : undefined;
  return {
    status: String(status),
    statusDescription: STATUS_CODES[status] ?? "",
    headers,
    bodyEncoding: text === undefined ? "base64" : "text",
    body: text ?? Buffer.from(body).toString("base64"),
  };
}

/** @param {GeneratedResponse} response */
function sizeOf({ headers, body }) {
  let size = Buffer.byteLength(body);
  for (const [name, values] of Object.entries(headers)) {
    for (const { value } of values) size += name.length + value.length + 4;
  }
  return size;
}
