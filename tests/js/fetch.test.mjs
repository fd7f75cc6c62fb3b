import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";

import { send } from "../../runtimes/edge_worker/fetch.mjs";

const bytes = new TextEncoder();
const server = createServer(async (request, response) => {
  if (request.url === "/silent") return;
  if (request.url === "/slow") {
    response.write("a part");
    return;
  }
  if (request.url === "/torn") {
    response.writeHead(200, { "content-length": "10" });
    response.write("half", () => response.destroy());
    return;
  }
  if (request.url === "/redirect") {
    response.writeHead(
      302,
      [
        ["location", "/x"],
        ["set-cookie", "a=1"],
        ["set-cookie", "b=2"],
      ].flat(),
    );
    response.end();
    return;
  }
  if (request.url === "/encoded") {
    response.writeHead(200, { "content-encoding": "gzip" }).end(request.method === "HEAD" ? "" : gzipSync("plain"));
    return;
  }
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  response.end(JSON.stringify([request.method, request.url, request.headers["x-a"], Buffer.concat(chunks).toString()]));
});
let origin = "";

before(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  origin = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
});

after(() => {
  server.closeAllConnections();
  server.close();
});

/**
 * @typedef {object} Options
 * @property {string} [method]
 * @property {string[]} [headers]
 * @property {Uint8Array<ArrayBuffer>} [body]
 * @property {number | null} [timeout]
 * @property {number | null} [idle]
 * @property {number} [limit]
 * @property {AbortSignal} [signal]
 */

/**
 * @param {string} path
 * @param {Options} [options]
 */
async function ask(path, { body, signal = new AbortController().signal, ...options } = {}) {
  const url = origin + path;
  const asked = { method: "GET", url, headers: [], timeout: 25_000, idle: null, limit: 1000, ...options };
  const [head, content] = await send(JSON.stringify(asked), body, signal);
  return { ...JSON.parse(head), text: content && new TextDecoder().decode(content) };
}

test("method, target, headers and body are sent as given", async () => {
  const { status, text } = await ask("/a?b=%zz", {
    method: "QUERY",
    headers: ["x-a", "\xe4"],
    body: bytes.encode("body"),
  });
  assert.deepEqual([status, JSON.parse(text ?? "")], [200, ["QUERY", "/a?b=%zz", "\xe4", "body"]]);
});

test("a redirect is the answer, every cookie its own header", async () => {
  const { status, headers } = await ask("/redirect");
  assert.equal(status, 302);
  assert.deepEqual(headers.slice(headers.indexOf("set-cookie")).slice(0, 4), [
    "set-cookie",
    "a=1",
    "set-cookie",
    "b=2",
  ]);
});

test("what fetch has decoded is not called encoded", async () => {
  const { text, headers } = await ask("/encoded");
  assert.equal(text, "plain");
  assert.ok(!headers.includes("content-encoding"));
  assert.ok((await ask("/encoded", { method: "HEAD" })).headers.includes("content-encoding"));
});

test("an answer above the limit, a torn and a late one are errors", async () => {
  for (const [path, options, error, kind] of /** @type {[string, Options, string, string][]} */ ([
    ["/", { limit: 3 }, "its answer is larger than 3 bytes", "size"],
    ["/torn", {}, "UND_ERR_SOCKET", "answer"],
    ["/silent", { timeout: 50 }, "there was no whole answer after 0.05 seconds", "timeout"],
    ["/silent", { timeout: null, idle: 50 }, "nothing came for 0.05 seconds", "timeout"],
    ["/slow", { timeout: null, idle: 50 }, "nothing came for 0.05 seconds", "timeout"],
    ["/silent", { signal: AbortSignal.abort() }, "it gave no valid answer (AbortError)", "answer"],
  ])) {
    const answer = await ask(path, options);
    assert.deepEqual([answer.error, answer.kind], [error, kind], path);
  }
});

test("an origin where nobody listens is an error that names no URL", async () => {
  const closed = createServer().listen(0, "127.0.0.1");
  await once(closed, "listening");
  const address = closed.address();
  closed.close();
  const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}/?secret`;
  const asked = { method: "GET", url, headers: [], timeout: 5000, idle: null, limit: 9 };
  const [head] = await send(JSON.stringify(asked), undefined, new AbortController().signal);
  assert.deepEqual(JSON.parse(head), { error: "ECONNREFUSED", kind: "connect" });
});
