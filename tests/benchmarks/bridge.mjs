// Time of one request inside a booted worker, from Exchange to Reply: node bridge.mjs ARTIFACT. Prints JSON.
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [artifact, batches, size] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const { boot } = await import(pathToFileURL(join(artifact, "worker.mjs")).href);
const worker = await boot({});
const headers = [
  ["Host", "127.0.0.1:3000"],
  ["User-Agent", "Mozilla/5.0 (X11; Linux x86_64)"],
  ["Accept", "application/json"],
  ["Accept-Encoding", "gzip, br"],
  ["Accept-Language", "en"],
  ["Cookie", "session=abc; theme=dark"],
].flat();

/**
 * @param {string} method
 * @param {string} target
 * @param {Uint8Array | null} body
 */
function exchange(method, target, body) {
  const [client, server] = [
    ["127.0.0.1", 50_000],
    ["127.0.0.1", 3000],
  ];
  return { method, target, scheme: "http", httpVersion: "1.1", headers, client, server, cdn: false, body };
}

const cases = {
  hello: () => exchange("GET", "/api/hello?page=1", null),
  "a text that is echoed, 10 kB": () => exchange("POST", "/api/hello", new Uint8Array(10_000).fill(97)),
  "a handler that waits once": () => exchange("GET", "/api/waits", null),
};

/** @param {() => object} request */
async function microseconds(request) {
  const started = process.hrtime.bigint();
  for (let count = 0; count < size; count += 1) {
    const reply = await worker.handle(request());
    if (reply.status !== 200) throw new Error(`the answer was ${reply.status}`);
  }
  return Number(process.hrtime.bigint() - started) / size / 1000;
}

/** @type {Record<string, number[]>} */
const times = Object.fromEntries(Object.keys(cases).map((name) => [name, []]));
for (let batch = 0; batch < batches; batch += 1) {
  for (const [name, request] of Object.entries(cases)) times[name].push(await microseconds(request));
}
console.log(JSON.stringify(times));
process.exit(0);
