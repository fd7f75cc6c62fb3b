// What the Lambda@Edge function and the Web face of a real artifact answer. Run by tests/runtimes/test_edge_worker.py,
// which writes the artifact with its environment.json and names it in ARTIFACT.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const folder = process.env.ARTIFACT ?? ".";
const { handler } = await import(pathToFileURL(join(folder, "index.mjs")).href);
const { default: worker } = await import(pathToFileURL(join(folder, "worker.mjs")).href);

/**
 * @param {string} uri
 * @param {object} [changed]
 */
function ask(uri, changed) {
  const headers = { host: [{ key: "Host", value: "h.example" }] };
  const request = { clientIp: "198.51.100.1", method: "GET", uri, querystring: "", headers, ...changed };
  return handler({ Records: [{ cf: { request } }] });
}

test("Lambda@Edge: the raw path and query reach the handler", async () => {
  const response = await ask("/api/raw/a%2Fb", { querystring: "q=%20" });
  assert.equal(response.status, "200");
  assert.equal(response.bodyEncoding, "text");
  assert.deepEqual(JSON.parse(response.body), {
    raw: "/api/raw/a%2Fb",
    slug: ["a/b"],
    query: "q=%20",
    host: "h.example",
  });
});

test("Lambda@Edge: variables come from environment.json alone", async () => {
  assert.deepEqual(JSON.parse((await ask("/api/environment")).body), { API_BASE: "here" });
});

test("Lambda@Edge: another function's route goes to the origin unchanged", async () => {
  const passed = await ask("/api/elsewhere", { querystring: "a=1" });
  assert.equal(passed.uri, "/api/elsewhere");
  assert.equal(passed.querystring, "a=1");
  assert.equal(passed.status, undefined);
});

test("Lambda@Edge: several cookies survive", async () => {
  assert.equal((await ask("/api/cookies")).headers["set-cookie"].length, 2);
});

test("Lambda@Edge: what does not fit is 413 or 502, a torn stream 500", async () => {
  const body = { inputTruncated: true, encoding: "base64", data: "eA==" };
  assert.equal((await ask("/api/hello", { method: "POST", body })).status, "413");
  assert.equal((await ask("/api/large", { querystring: "bytes=1048576" })).status, "502");
  assert.equal((await ask("/api/torn")).status, "500");
});

test("Web: requests and responses cross with bodies, cookies and limits", async () => {
  const env = { SETTING: "2" };
  const url = "https://h.example/api";
  const answered = await worker.fetch(new Request(`${url}/raw/a%2Fb?q`), env);
  assert.deepEqual(await answered.json(), { raw: "/api/raw/a%2Fb", slug: ["a/b"], query: "q", host: "h.example" });
  assert.deepEqual(await (await worker.fetch(new Request(`${url}/environment`), env)).json(), env);
  const cookies = await worker.fetch(new Request(`${url}/cookies`), env);
  assert.equal(cookies.headers.getSetCookie().length, 2);
  const large = await worker.fetch(new Request(`${url}/hello`, { method: "POST", body: "x".repeat(1001) }), env);
  assert.equal(large.status, 413);
  const empty = await worker.fetch(new Request(`${url}/hello`, { method: "DELETE" }), env);
  assert.equal(empty.status, 204);
  assert.equal(empty.body, null);
});
