// The supervisor with real processes; the worker inside is a small one in JavaScript, so that it can misbehave at will.
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

import { supervise } from "../../runtimes/edge_worker/supervisor.mjs";

/** @import { Exchange, Reply } from "../../runtimes/edge_worker/bridge.mjs" */
/** @import { Supervised } from "../../runtimes/edge_worker/supervisor.mjs" */

const SOURCE = fileURLToPath(new URL("../../runtimes/edge_worker/", import.meta.url));
const MAX_RESPONSE = 1_000_000;

const WORKER = `
import { readFileSync, writeSync } from "node:fs";

const text = (value) => new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));
const reply = (body, more) => ({ status: 200, headers: ["x-a", "\\xfc"], body, done: Promise.resolve(), ...more });
const state = { ended: 0 };

function tried(action) {
  try { return String(action()); } catch (error) { return error.code ?? error.name; }
}

const never = new Promise(() => undefined);
const actions = {
  "/echo": (exchange) => reply(text({ ...exchange, body: exchange.body === undefined ? "oversized" : String(exchange.body) })),
  "/pid": () => reply(text(String(process.pid))),
  "/env": () => reply(text([globalThis.env, Object.keys(process.env), process.argv.slice(2)])),
  "/loop": () => { for (;;); },
  "/never": () => never,
  "/late": (_, signal) => new Promise((resolve) => signal.addEventListener("abort", () => resolve(reply(null)))),
  "/background": () => reply(text("first"), { done: never }),
  "/exit": () => process.exit(3),
  "/abort": () => process.abort(),
  "/reject": () => Promise.reject(new Error("nothing to say")),
  "/forgotten": () => { Promise.reject(new Error("forgotten-by-all")); return reply(null); },
  "/large": (exchange) => reply(new Uint8Array(Number(exchange.target.split("?")[1]))),
  "/declared": () => reply(new ReadableStream(), { headers: ["Content-Length", "1000001"] }),
  "/endless": () => reply(new ReadableStream({
    pull: (controller) => controller.enqueue(new Uint8Array(100_000)),
    cancel: () => void (state.ended += 1),
  })),
  "/ended": () => reply(text(String(state.ended))),
  "/parts": () => reply(new ReadableStream({
    async start(controller) {
      for (const part of ["a", "b".repeat(300_000), "c"]) controller.enqueue(text(part));
      controller.close();
    },
  })),
  "/torn": () => reply(new ReadableStream({
    start: (controller) => controller.enqueue(text("some")),
    pull: (controller) => controller.error(new Error("torn")),
  })),
  "/output": () => { for (let n = 0; n < 300; n += 1) writeSync(2, "x".repeat(10_000)); return reply(null); },
  "/memory": () => { const held = []; for (;;) held.push(Buffer.alloc(2 ** 20, 1)); },
  "/reach": (exchange) => reply(text({
    kill: typeof process.kill, parent: process.ppid, binding: typeof process.binding,
    built: typeof process.getBuiltinModule, code: tried(() => new Function("return 1")()),
    own: tried(() => readFileSync("worker.json").length > 0), outside: tried(() => readFileSync("/etc/passwd")),
  })),
};

export async function boot(env) {
  globalThis.env = env;
  if (env.FAIL) throw new Error("broken-on-purpose");
  return {
    settings: {},
    owns: (target) => target.startsWith("/"),
    handle: async (exchange, signal) => actions[exchange.target.split("?")[0]](exchange, signal),
  };
}
`;

const folders = /** @type {string[]} */ ([]);
const running = /** @type {Supervised[]} */ ([]);
after(async () => {
  await Promise.all(running.map((worker) => worker.close()));
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/**
 * @param {{ env?: Record<string, string>, duration?: number, files?: Record<string, string> }} [changed]
 */
async function started({ env = {}, duration = 30, files = {} } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "supervised "));
  folders.push(folder);
  cpSync(SOURCE, folder, { recursive: true });
  // The build bundles the modules of child.mjs into this file.
  writeFileSync(join(folder, "child.cjs"), 'import("./child.mjs");');
  const settings = { function: "edge", max_body_size: 16, max_duration: duration, memory: 128 };
  for (const [name, text] of Object.entries({
    "worker.mjs": WORKER,
    "worker.json": JSON.stringify(settings),
    ...files,
  })) {
    writeFileSync(join(folder, name), text);
  }
  const worker = await supervise(pathToFileURL(`${folder}/`), env, { maxResponse: MAX_RESPONSE });
  running.push(worker);
  return worker;
}

/**
 * @param {string} target
 * @param {Partial<Exchange>} [changed]
 * @returns {Exchange}
 */
function exchange(target, changed) {
  const ends = { client: /** @type {[string, number]} */ (["192.0.2.1", 5]), server: null };
  return {
    method: "GET",
    target,
    scheme: "https",
    httpVersion: "1.1",
    headers: [],
    ...ends,
    cdn: true,
    body: null,
    ...changed,
  };
}

/** @param {Reply} reply */
async function textOf({ body }) {
  if (body === null) return "";
  return new Response(/** @type {any} */ (body)).text();
}

/**
 * @param {Supervised} worker
 * @param {string} target
 */
async function answer(worker, target) {
  const reply = await worker.handle(exchange(target));
  return [reply.status, await textOf(reply)];
}

/**
 * What is written to the log while `action` runs, and until there is what `awaited` says.
 * @param {() => Promise<unknown>} action
 * @param {RegExp} [awaited]
 */
async function logged(action, awaited = /^/) {
  const { write } = process.stderr;
  let text = "";
  process.stderr.write = /** @type {any} */ ((/** @type {unknown} */ chunk) => (text += chunk) !== "");
  try {
    await action();
    do await new Promise((resolve) => setTimeout(resolve, 10));
    while (!awaited.test(text));
  } finally {
    process.stderr.write = write;
  }
  return text;
}

test("a request and its answer cross unchanged", async () => {
  const worker = await started();
  const asked = exchange("/echo?q=\xe4", {
    method: "POST",
    headers: ["x-a", "\xfc\xdf"],
    body: new TextEncoder().encode("ä"),
  });
  const reply = await worker.handle(asked);
  assert.deepEqual(reply.headers, ["x-a", "\xfc"]);
  assert.deepEqual(JSON.parse(await textOf(reply)), { ...asked, body: "195,164" });
  const oversized = JSON.parse(await textOf(await worker.handle(exchange("/echo", { body: undefined }))));
  assert.equal(oversized.body, "oversized");
  assert.equal(await worker.owns("/a"), true);
  assert.equal(await worker.owns("other"), false);
});

test("the app's variables cross by the channel; its process has none, no arguments, no way out", async () => {
  const worker = await started({ env: { SECRET: "s" } });
  assert.deepEqual(JSON.parse(String((await answer(worker, "/env"))[1])), [{ SECRET: "s" }, [], []]);
  assert.deepEqual(JSON.parse(String((await answer(worker, "/reach"))[1])), {
    ...{ kill: "undefined", binding: "undefined", built: "undefined", code: "EvalError" },
    ...{ own: "true", outside: "ERR_ACCESS_DENIED" },
  });
});

test("a request past its time is 504 and harms no other one", async () => {
  const worker = await started({ duration: 1 });
  const pid = await answer(worker, "/pid");
  const log = await logged(async () => {
    assert.equal((await answer(worker, "/late"))[0], 504);
  });
  assert.equal(log, "GET /late: not ended after max_duration (1 s); it was ended\n");
  assert.deepEqual(await answer(worker, "/pid"), pid);
});

test("what cannot be ended takes its process with it, after the others", async () => {
  const worker = await started({ duration: 1 });
  const [, pid] = await answer(worker, "/pid");
  const log = await logged(async () => {
    const reply = await worker.handle(exchange("/never"));
    assert.equal(reply.status, 504);
    await reply.done;
  });
  assert.equal(log, "GET /never: not ended after max_duration (1 s) and cannot be ended; its worker is replaced\n");
  const [status, next] = await answer(worker, "/pid");
  assert.equal(status, 200);
  assert.notEqual(next, pid);
});

test("work after the response has the same time", async () => {
  const worker = await started({ duration: 1 });
  const reply = await worker.handle(exchange("/background"));
  assert.equal(await textOf(reply), "first");
  assert.match(await logged(() => reply.done), /^GET \/background: not ended after max_duration/);
});

test("a loop is killed with 504, what waits in the same process gets 502, the next is served", async () => {
  const worker = await started({ duration: 1 });
  const pid = Number((await answer(worker, "/pid"))[1]);
  /** @type {unknown[]} */
  let statuses = [];
  const log = await logged(async () => {
    const waiting = [answer(worker, "/late"), answer(worker, "/loop?secret")];
    await new Promise((resolve) => setTimeout(resolve, 700));
    waiting.push(answer(worker, "/echo"));
    statuses = (await Promise.all(waiting)).map(([status]) => status);
  });
  assert.deepEqual(statuses.slice(1), [504, 502]);
  assert.match(log, /^GET \/loop: not ended after max_duration \(1 s\); its worker does not respond and is killed$/m);
  assert.match(log, /^GET \/echo: the worker ended \(another request blocked it\) before its answer was whole$/m);
  assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
  assert.equal((await answer(worker, "/pid"))[0], 200);
});

for (const [target, reason] of [
  ["/exit", "exit status 3"],
  ["/abort", "signal SIGABRT"],
]) {
  test(`${target}: 502, one line, and a fresh process for the next request`, async () => {
    const worker = await started();
    const log = await logged(async () => assert.equal((await answer(worker, target))[0], 502));
    assert.ok(log.includes(`GET ${target}: the worker ended (${reason}) before its answer was whole\n`), log);
    assert.equal((await answer(worker, "/pid"))[0], 200);
  });
}

test("memory beyond the limit ends the process, not the machine", async () => {
  const worker = await started();
  const log = await logged(async () => assert.equal((await answer(worker, "/memory"))[0], 502));
  assert.match(log, /GET \/memory: the worker ended \(.+\) before its answer was whole\n/);
  assert.equal((await answer(worker, "/pid"))[0], 200);
});

test("a reply that fails is 500", async () => {
  const worker = await started();
  const log = await logged(async () => assert.equal((await answer(worker, "/reject"))[0], 500));
  assert.match(log, /nothing to say/);
  await logged(async () => assert.equal((await answer(worker, "/forgotten"))[0], 200), /forgotten-by-all/);
  assert.equal((await answer(worker, "/pid"))[0], 200);
});

test("an answer above the limit is 502, whether it is whole, declared or endless", async () => {
  const worker = await started();
  assert.equal((await worker.handle(exchange(`/large?${MAX_RESPONSE}`))).status, 200);
  for (const target of [`/large?${MAX_RESPONSE + 1}`, "/declared"]) {
    const log = await logged(async () => assert.equal((await answer(worker, target))[0], 502));
    assert.match(log, /^GET \/\w+: the response is larger than the 1000000 bytes[^\n]+\n$/);
  }
  const log = await logged(async () => {
    const reply = await worker.handle(exchange("/endless"));
    await assert.rejects(textOf(reply));
    await reply.done;
  });
  assert.match(log, /^GET \/endless: the response is larger than the 1000000 bytes[^\n]+\n$/);
  assert.deepEqual(await answer(worker, "/ended"), [200, "1"]);
});

test("a streamed body crosses in parts, waits for its reader and ends with it", async () => {
  const worker = await started();
  assert.equal((await answer(worker, "/parts"))[1], `a${"b".repeat(300_000)}c`);
  await assert.rejects(answer(worker, "/torn"));
  const reply = await worker.handle(exchange("/endless"));
  const reader = /** @type {ReadableStream} */ (reply.body).getReader();
  await reader.read();
  await reader.cancel();
  await reply.done;
  assert.deepEqual(await answer(worker, "/ended"), [200, "1"]);
});

test("a client that leaves ends its request", async () => {
  const worker = await started();
  const gone = new AbortController();
  const reply = worker.handle(exchange("/late"), gone.signal);
  gone.abort(new Error("gone"));
  await assert.rejects(reply, { message: "gone" });
  await assert.rejects(worker.handle(exchange("/pid"), gone.signal), { message: "gone" });
  assert.equal((await answer(worker, "/pid"))[0], 200);
});

test("output without end is cut", async () => {
  const worker = await started();
  const cut = /the app wrote more than 1048576 bytes to its output; the rest is left out\n$/;
  const log = await logged(async () => assert.equal((await answer(worker, "/output"))[0], 200), cut);
  assert.ok(log.length < 1_200_000);
});

test("a worker that does not start is reported once, later ones are 503", async () => {
  const log = await logged(() =>
    assert.rejects(started({ env: { FAIL: "1" } }), { message: "the worker did not start: exit status 1" }),
  );
  assert.equal(log, "broken-on-purpose\n");
});

/** What a process that user code has taken over may send, in place of child.mjs. */
const LIES = {
  "a frame without end": "header(0xffffffff, 18, 1)",
  "an unknown request": "header(0, 21, 99)",
  "an unknown kind": "header(0, 99, 1)",
  "an answer that is none": 'message(17, "[1,2,3]")',
  "headers that are none": 'message(17, "[200,[1],false]")',
  "no JSON": 'message(17, "{")',
  "a head longer than its frame": "Buffer.concat([header(4, 17, 1), Buffer.from([255, 0, 0, 0])])",
  "two answers": 'Buffer.concat([message(17, "[200,[],true]"), message(17, "[200,[],true]")])',
  "more than was asked for": 'Buffer.concat([message(17, "[200,[],true]"), ...Array(9).fill(piece)])',
};

for (const [name, bytes] of Object.entries(LIES)) {
  test(`a process that sends ${name} is killed`, async () => {
    const liar = `
import { Socket } from "node:net";
const channel = new Socket({ fd: 3, readable: true, writable: true });
function header(size, kind, number) {
  const bytes = Buffer.alloc(9);
  bytes.writeUInt32LE(size, 0);
  bytes[4] = kind;
  bytes.writeUInt32LE(number, 5);
  return bytes;
}
function message(kind, text) {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(Buffer.byteLength(text));
  return Buffer.concat([header(4 + Buffer.byteLength(text), kind, 1), length, Buffer.from(text)]);
}
const piece = Buffer.concat([header(65536, 18, 1), Buffer.alloc(65536)]);
channel.write(header(0, 16, 0));
channel.on("data", (chunk) => { if (chunk.includes("GET")) channel.write(${bytes}); });
`;
    const worker = await started({ files: { "child.mjs": liar } });
    const log = await logged(async () => {
      const reply = await worker.handle(exchange("/x"));
      await reply.done;
    });
    assert.match(log, /^GET \/x: the worker ended \(it broke the protocol: .+\) before its answer was whole\n$/);
  });
}
