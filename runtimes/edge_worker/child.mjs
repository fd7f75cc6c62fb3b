// The sandboxed process: user code runs here, and descriptor 3 is all it has of the main process.
import { readSync } from "node:fs";
import { Socket } from "node:net";

import { Fatal } from "./bridge.mjs";
import { Decoder, HEADER, KIND, WINDOW, frame, framed, parts } from "./frames.mjs";
import { seal } from "./seal.mjs";
import { boot } from "./worker.mjs";

/** @import { Duplex } from "node:stream" */
/** @import { Reply, Worker } from "./bridge.mjs" */

const CHANNEL = 3;
const PIECE = 64 * 1024;
/** A request that has not ended. @typedef {{ abort: AbortController, credit: number, wake?: () => void }} Open */

/** @type {Map<number, Open>} */
const open = new Map();
/** @type {Worker} */
let worker;
/** @type {Duplex} */
let channel;
/** Bytes that the body of an answer may have. */
let maxResponse = 0;
let retiring = false;

seal();
process.on("uncaughtException", (error) => end(error));
// A promise that the app forgot is no reason to end the requests of others.
process.on("unhandledRejection", (reason) => console.error(reason));
// Ctrl-C in a terminal reaches every process of the group; when to end is the main process's to say.
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => undefined);
start().catch(end);

/** Boot the worker with what the first frame says, then take requests. */
async function start() {
  const first = JSON.parse(received().toString());
  maxResponse = first.maxResponse;
  worker = await boot(first.env, Buffer.from(first.entropy, "base64"));
  const decoder = new Decoder(Infinity);
  channel = new Socket({ fd: CHANNEL, readable: true, writable: true });
  channel.on("data", (chunk) => {
    for (const { kind, number, payload } of decoder.push(chunk)) take(kind, number, payload);
  });
  channel.on("close", () => process.exit());
  channel.on("error", () => process.exit());
  channel.write(frame(KIND.READY, 0));
}

/** The payload of the first frame, read without an event loop. */
function received() {
  const header = filled(HEADER);
  return filled(header.readUInt32LE(0));
}

/** @param {number} size */
function filled(size) {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size;) {
    const got = readSync(CHANNEL, bytes, at, size - at, null);
    if (got === 0) process.exit();
    at += got;
  }
  return bytes;
}

/**
 * @param {number} kind
 * @param {number} number
 * @param {Buffer} payload
 */
function take(kind, number, payload) {
  const request = open.get(number);
  if (kind === KIND.REQUEST) {
    serve(number, payload).catch(end);
  } else if (kind === KIND.OWNS) {
    Promise.resolve(worker.owns(payload.toString("latin1"))).then(
      (owned) => channel.write(frame(KIND.OWNED, number, Uint8Array.of(owned ? 1 : 0))),
      end,
    );
  } else if (kind === KIND.ABORT) {
    channel.write(frame(KIND.ALIVE, number));
    request?.abort.abort();
  } else if (kind === KIND.CREDIT && request !== undefined) {
    request.credit += payload.readUInt32LE(0);
    request.wake?.();
  }
}

/**
 * @param {number} number
 * @param {Buffer} payload
 */
async function serve(number, payload) {
  const { head, body } = parts(payload);
  const { oversized, ...rest } = head;
  const request = { abort: new AbortController(), credit: WINDOW };
  open.set(number, request);
  let reply;
  try {
    reply = await worker.handle({ ...rest, body: oversized ? undefined : plain(body) }, request.abort.signal);
  } catch (error) {
    if (error instanceof Fatal) end(new Error(`${error.message}: ${error.cause}`));
    if (!request.abort.signal.aborted) console.error(error);
    open.delete(number);
    channel.write(frame(KIND.FAILED, number));
    return;
  }
  channel.cork();
  const streaming = answer(number, reply, request);
  process.nextTick(() => channel.uncork());
  await Promise.all([streaming, reply.done]);
  open.delete(number);
  channel.write(frame(KIND.DONE, number));
  if (worker.full?.() && !retiring) {
    retiring = true;
    channel.write(frame(KIND.FULL, 0));
  }
}

/**
 * Pyodide takes no Buffer.
 * @param {Buffer | null} body
 */
function plain(body) {
  return body && new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
}

/**
 * @param {number} number
 * @param {Reply} reply
 * @param {Open} request
 */
async function answer(number, { status, headers, body }, request) {
  // Not by asking for ReadableStream, which takes Node milliseconds to load.
  if (body === null || body instanceof Uint8Array) {
    const size = body?.byteLength ?? 0;
    if (size > maxResponse) channel.write(framed(KIND.LARGE, number, size, null));
    else channel.write(framed(KIND.START, number, [status, headers, false], body));
    return;
  }
  channel.write(framed(KIND.START, number, [status, headers, true], null));
  channel.write(frame((await stream(number, body.getReader(), request)) ? KIND.END : KIND.TORN, number));
}

/**
 * Send a body in pieces, as far as there is credit.
 * @param {number} number
 * @param {ReadableStreamDefaultReader<Uint8Array>} reader
 * @param {Open} request
 * @returns {Promise<boolean>} whether it is whole
 */
async function stream(number, reader, request) {
  const { signal } = request.abort;
  signal.addEventListener("abort", () => reader.cancel().catch(() => undefined), { once: true });
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      for (let at = 0; at < part.value.byteLength; at += PIECE) {
        const piece = part.value.subarray(at, at + PIECE);
        while (request.credit < piece.byteLength && !signal.aborted) await more(request);
        if (signal.aborted) return false;
        request.credit -= piece.byteLength;
        channel.write(frame(KIND.CHUNK, number, piece));
      }
    }
    return !signal.aborted;
  } catch {
    // The bridge has logged why.
    return false;
  }
}

/**
 * @param {Open} request
 * @returns {Promise<void>} when there is more credit, or nobody reads on
 */
function more(request) {
  return new Promise((resolve) => {
    request.wake = resolve;
    request.abort.signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/**
 * End this process; a new one takes its place.
 * @param {Error} error
 * @returns {never}
 */
function end(error) {
  // A Python error's message is its traceback, and JavaScript's own stack would say nothing more. Node's report of an
  // uncaught error shows the source line, which for Pyodide is a megabyte.
  console.error(error.message);
  process.exit(1);
}
