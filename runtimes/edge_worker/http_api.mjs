// Lambda events of payload format 2.0 to the worker and back: what runtimes/lambda_events.py does for nodejs functions,
// with the same results. Its docstring has the sources.
import { collect } from "./body.mjs";
import { refusal } from "./bridge.mjs";
import { FORBIDDEN, KEY_HEADER } from "./origin_key.mjs";
import { TooLarge, Torn } from "./pending.mjs";
import { bytesOf, textOf } from "./text.mjs";

/** @import { Exchange, Reply, Worker } from "./bridge.mjs" */
/** @import { Admits } from "./origin_key.mjs" */

/**
 * @typedef {object} HttpEvent
 * @property {string} version
 * @property {string} rawPath
 * @property {string} [rawQueryString]
 * @property {string[]} [cookies]
 * @property {Record<string, string> | null} [headers]
 * @property {string | null} [body]
 * @property {boolean} [isBase64Encoded]
 * @property {{ domainName: string, stage?: string, http: { method: string, protocol?: string, sourceIp: string } }} requestContext
 *
 * @typedef {object} Result
 * @property {number} statusCode
 * @property {Record<string, string>} headers
 * @property {string} body
 * @property {boolean} isBase64Encoded
 * @property {string[]} [cookies]
 *
 * What the deployment says of the function.
 * @typedef {object} Deployment
 * @property {Admits | undefined} admits see `originKey`
 * @property {boolean} behindCdn nothing but the CDN gets through to it
 */

/** AWS Lambda quotas, payload of a synchronous invocation. */
export const MAX_RESPONSE_BYTES = 6 * 2 ** 20;
/** JSON writes a byte as six characters at most, so that smaller bodies need no measuring. */
const MEASURED = MAX_RESPONSE_BYTES / 6 - 100_000;

/** @type {[number, string]} */
const TOO_LARGE = [502, "Bad Gateway"];
/** @type {[number, string]} */
const FAILED = [500, "Internal Server Error"];
const PATH_HEADER = "x-packager-path";
const TEXT = /^(?:text\/|application\/(?:json|javascript|xml))|\+(?:json|xml)$/;
// What clients send in a path, RFC 3986 (§3.3) allows it or not; and what shows that a path has been decoded.
const NOT_IN_A_PATH = /[^A-Za-z0-9_.~\-/%:@!$&'()*+,;=[\]|\\^`{}"<>]/g;
const NEVER_SENT = /[^!-~]|[?#]|%(?![0-9a-fA-F]{2})/;
const BAD_ESCAPE = /%(?![0-9a-fA-F]{2})/g;

/**
 * Answer an event of an HTTP API or a Function URL.
 * @param {Worker} worker
 * @param {HttpEvent} event
 * @param {Deployment} deployment
 * @returns {Promise<Result>} rejects for an event that is no request
 */
export async function answerEvent(worker, event, { admits, behindCdn }) {
  if (event?.version !== "2.0" || event.requestContext?.http === undefined) {
    throw new TypeError("the event is no request of payload format 2.0");
  }
  const headers = headersOf(event);
  if (admits && !admits(headers.get(KEY_HEADER))) return forbidden();
  headers.delete(KEY_HEADER);
  const { method } = event.requestContext.http;
  try {
    const reply = await worker.handle(exchangeOf(event, headers, behindCdn, worker.settings.max_body_size));
    const result = await resultOf(reply, `${method} ${event.rawPath}`);
    // Lambda freezes the process once it has the result, so what runs after it has to end first.
    await reply.done;
    return result;
  } catch (error) {
    if (!(error instanceof Torn)) console.error(error);
    const [status, text] = error instanceof TooLarge ? TOO_LARGE : FAILED;
    return resultOf(refusal(status, text), method);
  }
}

/** @returns {Result} */
function forbidden() {
  const headers = { "content-type": "application/json" };
  return { statusCode: FORBIDDEN.status, headers, body: FORBIDDEN.body, isBase64Encoded: false };
}

/**
 * By their names in lower case.
 * @param {HttpEvent} event
 */
function headersOf({ headers, cookies }) {
  const found = new Map(Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
  if (cookies?.length) found.set("cookie", cookies.join("; "));
  return found;
}

/**
 * @param {HttpEvent} event
 * @param {Map<string, string>} headers
 * @param {boolean} cdn
 * @param {number} limit
 * @returns {Exchange}
 */
function exchangeOf(event, headers, cdn, limit) {
  const { domainName, http } = event.requestContext;
  const path = rawPath(event, cdn ? headers.get(PATH_HEADER) : undefined);
  const query = bytesOf(event.rawQueryString ?? "");
  const body = event.body ? Buffer.from(event.body, event.isBase64Encoded ? "base64" : "utf8") : null;
  return {
    method: http.method,
    target: query ? `${path}?${query}` : path,
    scheme: headers.get("x-forwarded-proto") ?? "https",
    httpVersion: (http.protocol ?? "HTTP/1.1").split("/").at(-1) ?? "1.1",
    headers: [...headers].flatMap(([name, value]) => [bytesOf(name), bytesOf(value)]),
    client: [http.sourceIp, 0],
    server: [domainName, 443],
    cdn,
    body: (body?.byteLength ?? 0) > limit ? undefined : body,
  };
}

/**
 * The path as the client sent it, as far as it is known; see `_raw_path` in runtimes/lambda_events.py.
 * @param {HttpEvent} event
 * @param {string | undefined} sent what the CDN says
 */
function rawPath({ rawPath: path, requestContext: { domainName, stage = "$default" } }, sent) {
  if (sent) return bytesOf(sent);
  const own = stage !== "$default" && path.startsWith(`/${stage}/`) ? path.slice(stage.length + 1) : path;
  const raw = Buffer.from(own, "utf8").toString("latin1");
  if (!NEVER_SENT.test(own) || domainName.includes(".lambda-url.")) return raw;
  const hex = (/** @type {string} */ byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
  return raw.replace(NOT_IN_A_PATH, hex).replace(BAD_ESCAPE, "%25");
}

/**
 * @param {Reply} reply
 * @param {string} name of the request, for the log
 * @returns {Promise<Result>}
 */
async function resultOf(reply, name) {
  const streamed = reply.body instanceof ReadableStream;
  const body = reply.body instanceof ReadableStream ? await collect(reply.body, MAX_RESPONSE_BYTES) : reply.body;
  const result = encoded(reply, body ?? new Uint8Array());
  if ((streamed && body === undefined) || isTooLarge(result)) {
    console.error(`${name}: the response is larger than the ${MAX_RESPONSE_BYTES} bytes that Lambda may answer`);
    const { status, headers, body: error } = refusal(...TOO_LARGE);
    return encoded({ status, headers }, /** @type {Uint8Array} */ (error));
  }
  return result;
}

/** @param {Result} result */
function isTooLarge(result) {
  return result.body.length > MEASURED && Buffer.byteLength(JSON.stringify(result)) > MAX_RESPONSE_BYTES;
}

/**
 * @param {Pick<Reply, "status" | "headers">} reply
 * @param {Uint8Array} body
 * @returns {Result}
 */
function encoded({ status, headers: flat }, body) {
  /** @type {Record<string, string>} */
  const headers = {};
  const cookies = [];
  for (let at = 0; at < flat.length; at += 2) {
    const name = flat[at].toLowerCase();
    const value = flat[at + 1];
    if (name === "set-cookie") cookies.push(value);
    else headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
  }
  const kind = (headers["content-type"] ?? "").split(";", 1)[0].trim().toLowerCase();
  const text = body.byteLength === 0 ? "" : TEXT.test(kind) ? textOf(body) : undefined;
  return {
    statusCode: status,
    headers,
    body: text ?? Buffer.from(body).toString("base64"),
    isBase64Encoded: text === undefined,
    ...(cookies.length ? { cookies } : {}),
  };
}
