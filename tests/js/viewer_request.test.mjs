import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

/** @typedef {Record<string, { value: string }>} Headers */

const source = readFileSync(new URL("../../infra/viewer_request.js", import.meta.url), "utf8");

/**
 * What the function makes of a request with these headers: the headers then, and the origin's new properties.
 * @param {Record<string, string>} sent
 * @param {string} [uri]
 */
function viewed(sent, uri = "/api/a") {
  const changes = /** @type {object[]} */ ([]);
  const cf = { updateRequestOrigin: (/** @type {object} */ change) => changes.push(change) };
  const code = source.replace('import cf from "cloudfront";', "").replace("{{ORIGIN_HOST}}", "api.example");
  const handler = new Function("cf", `"use strict"; ${code}; return handler;`)(cf);
  const headers = /** @type {Headers} */ ({});
  for (const [name, value] of Object.entries(sent)) headers[name] = { value };
  const request = { method: "GET", uri, querystring: { q: { value: "1" } }, headers, cookies: {} };
  const event = { version: "1.0", context: {}, viewer: { ip: "203.0.113.7" }, request };
  const answer = handler(event);
  assert.equal(answer, request);
  assert.deepEqual(request.querystring, { q: { value: "1" } });
  const names = Object.fromEntries(Object.entries(request.headers).map(([name, { value }]) => [name, value]));
  return { headers: names, uri: request.uri, changes };
}

const ORDER = "cloudfront-viewer-header-order";
const KNOWN = {
  "cloudfront-viewer-address": "203.0.113.7:4711",
  "cloudfront-viewer-city": "K%C3%B6ln",
  "cloudfront-viewer-country": "DE",
};

test("the path and the host that were asked for are handed on, and the origin gets its own host", () => {
  const { headers, uri, changes } = viewed({ host: "example.com" }, "/api/a%2Fb/%zz");
  assert.deepEqual(headers, {
    host: "example.com",
    "x-packager-host": "example.com",
    "x-packager-path": "/api/a%2Fb/%zz",
  });
  assert.equal(uri, "/api/a%2Fb/%zz");
  assert.deepEqual(changes, [{ hostHeader: "api.example" }]);
});

test("what a viewer sends in the name of the tool is overwritten or dropped", () => {
  const { headers } = viewed({
    host: "example.com",
    "x-packager-path": "/admin",
    "x-packager-host": "evil.example",
    "x-packager-origin-key": "guess",
    "x-packager-anything": "1",
    "x-middleware-subrequest": "middleware",
    "x-nextjs-data": "1",
    "x-packaged": "stays",
  });
  assert.deepEqual(headers, {
    host: "example.com",
    "x-packaged": "stays",
    "x-packager-path": "/api/a",
    "x-packager-host": "example.com",
  });
});

test("without a host none is handed on, not even the viewer's", () => {
  assert.equal("x-packager-host" in viewed({ "x-packager-host": "evil.example" }).headers, false);
});

test("what CloudFront knows of the viewer stays, the order of its headers goes no further", () => {
  const { headers } = viewed({ host: "h", accept: "*/*", ...KNOWN, [ORDER]: "Host:Accept" });
  assert.equal(headers["cloudfront-viewer-city"], "K%C3%B6ln");
  assert.equal(headers["cloudfront-viewer-country"], "DE");
  assert.equal(headers["cloudfront-viewer-address"], "203.0.113.7:4711");
  assert.equal(ORDER in headers, false);
});

test("a viewer header that the viewer itself sent is dropped, whatever its case", () => {
  const { headers } = viewed({ host: "h", ...KNOWN, [ORDER]: "Host:CloudFront-Viewer-City:Accept" });
  assert.equal("cloudfront-viewer-city" in headers, false);
  assert.equal(headers["cloudfront-viewer-country"], "DE");
});

test("the address stays even if the viewer sent one, since CloudFront always sets it", () => {
  const { headers } = viewed({ host: "h", ...KNOWN, [ORDER]: "host:cloudfront-viewer-address" });
  assert.equal(headers["cloudfront-viewer-address"], "203.0.113.7:4711");
});

test("where the order of headers is missing or may be cut, only the address is believed", () => {
  for (const order of [undefined, `host:${"x".repeat(7000)}`]) {
    const { headers } = viewed({ host: "h", ...KNOWN, ...(order && { [ORDER]: order }) });
    assert.deepEqual(
      Object.keys(headers).filter((name) => name.startsWith("cloudfront-")),
      ["cloudfront-viewer-address"],
    );
  }
});

test("headers in CloudFront's name that no policy asks for are dropped", () => {
  const { headers } = viewed({ host: "h", "cloudfront-forwarded-proto": "http", [ORDER]: "host" });
  assert.equal("cloudfront-forwarded-proto" in headers, false);
});

test("authorization, cookies and other headers pass", () => {
  const { headers } = viewed({ host: "h", authorization: "Bearer t", "x-api-key": "k" });
  assert.equal(headers.authorization, "Bearer t");
  assert.equal(headers["x-api-key"], "k");
});
