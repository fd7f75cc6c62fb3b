// Time of one request from Exchange to Reply, in a worker booted here and in one in its sandboxed child process:
// node bridge.mjs ARTIFACT BATCHES REQUESTS. Prints JSON. What two processes cost at all on this machine is in `bare`: a
// message of a request's size to a Node that sends one of an answer's size back.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { supervise } from "../../runtimes/edge_worker/supervisor.mjs";

const [artifact, batches, size] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const { boot } = await import(pathToFileURL(join(artifact, "worker.mjs")).href);
const workers = {
  here: await boot({}),
  child: await supervise(pathToFileURL(`${artifact}/`), {}, { maxResponse: 2 ** 20 }),
};
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

const ECHO = `
  const channel = new (require("node:net").Socket)({ fd: 3, readable: true, writable: true });
  channel.on("data", () => channel.write(Buffer.alloc(150)));`;
const echo = spawn(process.execPath, ["-e", ECHO], { stdio: ["ignore", "inherit", "inherit", "pipe"] });
const channel = /** @type {import("node:stream").Duplex} */ (echo.stdio[3]);
const bare = {
  async handle() {
    channel.write(Buffer.alloc(400));
    await once(channel, "data");
    return { status: 200 };
  },
};

/**
 * @param {{ handle: (exchange: any) => Promise<{ status: number }> }} worker
 * @param {() => object} request
 */
async function microseconds(worker, request) {
  const started = process.hrtime.bigint();
  for (let count = 0; count < size; count += 1) {
    const reply = await worker.handle(request());
    if (reply.status !== 200) throw new Error(`the answer was ${reply.status}`);
  }
  return Number(process.hrtime.bigint() - started) / size / 1000;
}

/** @type {Record<string, { here: number[], child: number[] }>} */
const times = Object.fromEntries(Object.keys(cases).map((name) => [name, { here: [], child: [] }]));
/** @type {number[]} */
const trips = [];
for (let batch = 0; batch < batches; batch += 1) {
  for (const [name, request] of Object.entries(cases)) {
    times[name].here.push(await microseconds(workers.here, request));
    times[name].child.push(await microseconds(workers.child, request));
  }
  trips.push(await microseconds(bare, cases.hello));
}
console.log(JSON.stringify({ times, bare: trips }));
process.exit(0);
