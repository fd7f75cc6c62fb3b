import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { MAX_RESPONSE_BYTES, isForbidden, originRequest } from "../../runtimes/edge_worker/cloudfront.mjs";

/** @import { Exchange, Reply } from "../../runtimes/edge_worker/bridge.mjs" */

const recorded = JSON.parse(readFileSync(new URL("origin-request.json", import.meta.url), "utf8"));
const settings = { function: "edge", max_body_size: 16, max_duration: 30, memory: 256 };

/**
 * A worker that answers every request of /api with the same reply and keeps what it was asked.
 * @param {Partial<Reply>} reply
 */
function answering(reply) {
  /** @type {Exchange[]} */
  const asked = [];
  return {
    asked,
    settings,
    owns: (/** @type {string} */ target) => target.startsWith("/api"),
    handle: async (/** @type {Exchange} */ exchange) => {
      asked.push(exchange);
      return { status: 200, headers: [], body: null, done: Promise.resolve(), ...reply };
    },
  };
}

/** @param {object} [changed] */
function event(changed) {
  const copy = structuredClone(recorded);
  Object.assign(copy.Records[0].cf.request, changed);
  return copy;
}

/**
 * @param {Partial<Reply>} reply
 * @param {object} [changed]
 * @returns {Promise<any>}
 */
const answered = (reply, changed) => originRequest(answering(reply), event(changed));

/** @param {string} text */
const bytes = (text) => new TextEncoder().encode(text);

test("the event becomes a request with raw target, all headers and a decoded body", async () => {
  const worker = answering({});
  await originRequest(worker, event());
  const [asked] = worker.asked;
  assert.equal(asked.target, "/api/users/a%2Fb?page=2&q=%20x");
  assert.equal(asked.method, "POST");
  assert.equal(asked.scheme, "https");
  assert.deepEqual(asked.client, ["203.0.113.178", 0]);
  assert.equal(asked.cdn, true);
  assert.equal(Buffer.from(asked.body ?? []).toString(), '{"a":1}');
  const names = asked.headers.filter((_, at) => at % 2 === 0);
  assert.deepEqual(names, ["cloudfront-viewer-country", "cookie", "cookie", "host"]);
});

test("characters beyond latin-1 become their UTF-8 bytes", async () => {
  const worker = answering({});
  await originRequest(worker, event({ uri: "/api/€" }));
  assert.equal(worker.asked[0].target, "/api/\xe2\x82\xac?page=2&q=%20x");
});

test("a request for another function's route is given back as it is", async () => {
  const worker = answering({});
  const other = event({ uri: "/other" });
  assert.equal(await originRequest(worker, other), other.Records[0].cf.request);
  assert.deepEqual(worker.asked, []);
});

test("what goes to the origin is sent to it in its own name, which an HTTP API insists on", async () => {
  const passed = /** @type {any} */ (await originRequest(answering({}), event({ uri: "/other" })));
  assert.deepEqual(passed.headers.host, [{ key: "Host", value: "example.org" }]);
});

test("a truncated or too large body does not reach the app, which refuses it", async () => {
  for (const body of [
    { inputTruncated: true, encoding: "base64", data: "eA==" },
    { inputTruncated: false, encoding: "text", data: "x".repeat(17) },
  ]) {
    const worker = answering({});
    await originRequest(worker, event({ body }));
    assert.deepEqual(
      worker.asked.map((/** @type {{ body: unknown }} */ asked) => asked.body),
      [undefined],
    );
  }
});

test("headers that CloudFront forbids are left out, repeated ones stay", async () => {
  const headers = ["Set-Cookie", "a=1", "set-cookie", "b=2", "Content-Length", "2", "X-Amzn-Trace", "1", "X-A", "1"];
  const response = await answered({ headers });
  assert.deepEqual(response.headers, {
    "set-cookie": [
      { key: "Set-Cookie", value: "a=1" },
      { key: "set-cookie", value: "b=2" },
    ],
    "x-a": [{ key: "X-A", value: "1" }],
  });
  assert.equal(response.status, "200");
  assert.equal(response.statusDescription, "OK");
  for (const name of ["connection", "proxy-authenticate", "x-edge-location", "x-real-ip", "via"]) {
    assert.equal(isForbidden(name), true, name);
  }
});

test("text that is text goes as text, anything else as base64", async () => {
  const cases = [
    ["application/json", bytes('"\ufeffä"'), "text"],
    ["application/problem+json; charset=utf-8", bytes("{}"), "text"],
    ["text/plain", Uint8Array.of(0xff), "base64"],
    ["application/octet-stream", bytes("abc"), "base64"],
    ["", bytes("abc"), "base64"],
  ];
  for (const [type, body, encoding] of /** @type {[string, Uint8Array, "text" | "base64"][]} */ (cases)) {
    const response = await answered({ headers: ["content-type", type], body });
    assert.equal(response.bodyEncoding, encoding, type);
    const decoded = Buffer.from(response.body, encoding === "text" ? "utf8" : "base64");
    assert.deepEqual([...decoded], [...body], type);
  }
  const zipped = await answered({
    headers: ["content-type", "text/plain", "content-encoding", "br"],
    body: bytes("a"),
  });
  assert.equal(zipped.bodyEncoding, "base64");
});

test("a streamed body is collected, one that is too large is 502", async () => {
  const streamed = new ReadableStream({
    start(controller) {
      controller.enqueue(bytes("ab"));
      controller.enqueue(bytes("c"));
      controller.close();
    },
  });
  const response = await answered({ headers: ["content-type", "text/plain"], body: streamed });
  assert.equal(response.body, "abc");
  let left = false;
  const endless = new ReadableStream({
    pull: (controller) => controller.enqueue(new Uint8Array(100_000)),
    cancel: () => void (left = true),
  });
  assert.equal((await answered({ body: endless })).status, "502");
  assert.equal(left, true);
});

test("the limit counts headers and the encoding", async () => {
  const body = new Uint8Array((MAX_RESPONSE_BYTES / 4) * 3);
  assert.equal((await answered({ body })).status, "200");
  const tooLarge = await answered({ headers: ["x-a", "1"], body });
  assert.equal(tooLarge.status, "502");
  assert.deepEqual(JSON.parse(tooLarge.body), { error: "Bad Gateway" });
});

test("the answer waits until the app has ended", async () => {
  let ended = false;
  const done = Promise.resolve().then(() => void (ended = true));
  await answered({ done });
  assert.equal(ended, true);
});

test("a failed reply is 500", async () => {
  const failing = { ...answering({}), handle: () => Promise.reject(new Error("broken off")) };
  assert.equal(/** @type {any} */ (await originRequest(failing, event())).status, "500");
});

test("every kind of origin-request crosses as CloudFront documents it", async () => {
  const cases = [
    [
      { method: "HEAD", body: undefined },
      { method: "HEAD", body: null },
    ],
    [
      { method: "OPTIONS", body: { inputTruncated: false, encoding: "base64", data: "" } },
      { method: "OPTIONS", body: null },
    ],
    [{ querystring: "" }, { target: "/api/users/a%2Fb" }],
    [{ uri: "/api/%zz", querystring: "a=1&a=2&b=%26+%2B" }, { target: "/api/%zz?a=1&a=2&b=%26+%2B" }],
    [{ clientIp: "2001:db8::1" }, { client: ["2001:db8::1", 0] }],
    [
      {
        headers: {
          "x-a": [
            { key: "X-A", value: "1" },
            { key: "x-a", value: "\u00fc" },
          ],
        },
      },
      { headers: ["x-a", "1", "x-a", "\u00fc"], server: ["localhost", 443] },
    ],
    [
      { headers: { host: [{ value: "h" }], "cloudfront-forwarded-proto": [{ value: "http" }] } },
      { scheme: "http", server: ["h", 80] },
    ],
  ];
  for (const [changed, expected] of /** @type {[object, Record<string, unknown>][]} */ (cases)) {
    const worker = answering({});
    await originRequest(worker, event(changed));
    const asked = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (worker.asked[0]));
    for (const [name, value] of Object.entries(expected)) assert.deepEqual(asked[name], value, name);
  }
});

test("a binary body arrives byte by byte", async () => {
  const worker = answering({});
  const data = Buffer.from([0, 255, 128, 10]).toString("base64");
  await originRequest(
    worker,
    event({ body: { action: "read-only", inputTruncated: false, encoding: "base64", data } }),
  );
  assert.deepEqual([...(worker.asked[0].body ?? [])], [0, 255, 128, 10]);
});

test("custom headers of the origin do not reach the app, and pass through unchanged", async () => {
  const origin = {
    custom: { customHeaders: { "x-origin": [{ key: "X-Origin", value: "secret" }] }, domainName: "example.org" },
  };
  const worker = answering({});
  await originRequest(worker, event({ origin }));
  assert.equal(JSON.stringify(worker.asked[0]).includes("secret"), false);
  const passed = /** @type {any} */ (await originRequest(worker, event({ uri: "/other", origin })));
  assert.deepEqual(passed.origin, origin);
});
