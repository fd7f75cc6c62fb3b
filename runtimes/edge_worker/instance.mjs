// One sandboxed process and the requests in it. What it says is untrusted: user code may have taken it over.
import { Decoder, KIND, framed, frame, parts } from "./frames.mjs";
import { Logged } from "./logged.mjs";
import { Pending } from "./pending.mjs";
import { confine } from "./sandbox.mjs";

/** @import { Exchange, Reply, Settings } from "./bridge.mjs" */

/**
 * What holds for every process of a worker.
 * @typedef {object} Terms
 * @property {string} folder the artifact's, its real path
 * @property {Record<string, string | undefined>} env exactly what the app sees as os.environ
 * @property {Settings} settings
 * @property {number} maxResponse bytes that the body of an answer may have
 * @property {number} deadline ms from the start of a request to the end of all that the app does for it
 */

/** How long a process may take to start, in ticks: a machine that was frozen meanwhile counts none. */
const START_TICKS = 60;
const TICK_MS = 1_000;
/** How long the event loop may take to answer, and the app to end a request that was given up. */
const GRACE_MS = 500;
/** Python's generators take 2.5 kB each at the start. */
const ENTROPY_BYTES = 16 * 1024;
/** What an answer's head may take beside its body. */
const MAX_HEAD_BYTES = 1024 * 1024;

export class Instance {
  /** Whether it takes no more requests. */
  retired = false;
  /** @type {PromiseWithResolvers<void>} */
  #ready = Promise.withResolvers();
  /** @type {PromiseWithResolvers<void>} */
  #retirement = Promise.withResolvers();
  /** @type {PromiseWithResolvers<void>} */
  #ended = Promise.withResolvers();
  /** @type {Map<number, Pending>} */
  #open = new Map();
  /** @type {Map<number, PromiseWithResolvers<boolean>>} */
  #asked = new Map();
  #last = 0;
  #terms;
  #sandboxed;
  #logged;
  /** @type {string | undefined} */
  #reason;
  #dead = false;

  /** @param {Terms} terms */
  constructor(terms) {
    this.#terms = terms;
    this.#sandboxed = confine(terms.folder, terms.settings.memory);
    const { process: child, channel, output, leash } = this.#sandboxed;
    channel.write(framedBoot(terms));
    this.#logged = new Logged(output);
    const decoder = new Decoder(terms.maxResponse + MAX_HEAD_BYTES);
    channel.on("data", (chunk) => this.#receive(decoder, chunk));
    child.on("error", (error) => this.#end(error.message));
    child.on("exit", () => leash?.end("\n"));
    // Not before its last words are read.
    child.on("close", (status, signal) =>
      this.#end(this.#reason ?? (signal ? `signal ${signal}` : `exit status ${status}`)),
    );
    this.#ready.promise.catch(() => undefined);
    this.#expectReady();
    this.#hold();
  }

  /** Resolves when it takes requests, rejects with the reason if it ends before. */
  get ready() {
    return this.#ready.promise;
  }

  /** Resolves when it takes no more requests. */
  get retirement() {
    return this.#retirement.promise;
  }

  /** Resolves when it has ended. */
  get ended() {
    return this.#ended.promise;
  }

  /**
   * @param {Exchange} exchange
   * @param {AbortSignal} [signal]
   * @returns {Promise<Reply>} rejects only if `signal` is aborted before the reply begins
   */
  handle(exchange, signal) {
    const number = (this.#last += 1);
    const pending = new Pending(`${exchange.method} ${exchange.target.split("?", 1)[0]}`, this.#terms.maxResponse, {
      credit: (bytes) => this.#send(frame(KIND.CREDIT, number, uint32(bytes))),
      abort: () => this.#send(frame(KIND.ABORT, number)),
    });
    this.#open.set(number, pending);
    this.#hold();
    const { body, ...head } = exchange;
    this.#logged.allow();
    this.#send(framed(KIND.REQUEST, number, { ...head, oversized: body === undefined }, body));
    const deadline = setTimeout(() => this.#expire(pending), this.#terms.deadline);
    const leave = () => pending.abort(signal?.reason);
    signal?.addEventListener("abort", leave, { once: true });
    pending.done.then(() => {
      clearTimeout(deadline);
      signal?.removeEventListener("abort", leave);
      this.#open.delete(number);
      this.#hold();
      if (this.retired && this.#open.size === 0) this.kill("it was replaced");
    });
    if (this.#dead) pending.crash();
    return pending.reply;
  }

  /**
   * @param {string} target
   * @returns {Promise<boolean>} rejects if the process ends or is blocked
   */
  owns(target) {
    const number = (this.#last += 1);
    const asked = Promise.withResolvers();
    this.#asked.set(number, asked);
    this.#hold();
    this.#send(frame(KIND.OWNS, number, Buffer.from(target, "latin1")));
    const deadline = setTimeout(() => this.kill("its event loop is blocked"), this.#terms.deadline);
    return asked.promise.finally(() => {
      clearTimeout(deadline);
      this.#asked.delete(number);
      this.#hold();
    });
  }

  /** Take no more requests, and end with the last that is in it. */
  retire() {
    this.retired = true;
    this.#retirement.resolve();
    if (this.#open.size === 0) this.kill("it was replaced");
  }

  /**
   * @param {string} reason for the log
   */
  kill(reason) {
    this.#reason ??= reason;
    this.retired = true;
    this.#retirement.resolve();
    this.#sandboxed.process.kill("SIGKILL");
  }

  /**
   * End a request whose time is up. If the event loop answers, nobody else is harmed: a task that does not end goes with
   * its process once the other requests have ended. If it does not, everything in it is lost.
   * @param {Pending} pending
   */
  async #expire(pending) {
    if (this.#reason !== undefined) return;
    const limit = `${pending.name}: not ended after max_duration (${this.#terms.settings.max_duration} s)`;
    pending.expire();
    const alive = await Promise.race([pending.alive, after(GRACE_MS, false)]);
    if (!alive) {
      console.error(`${limit}; its worker does not respond and is killed`);
      this.kill("another request blocked it");
      return;
    }
    pending.timeOut();
    const ended = await Promise.race([pending.done.then(() => true), after(GRACE_MS, false)]);
    console.error(ended ? `${limit}; it was ended` : `${limit} and cannot be ended; its worker is replaced`);
    if (ended) return;
    pending.end();
    this.retire();
  }

  /** Keep this process from ending while somebody waits for the other one, and only then. */
  #hold() {
    const { process: child, channel, output } = this.#sandboxed;
    const needed = this.#open.size + this.#asked.size > 0;
    for (const handle of /** @type {any[]} */ ([child, channel, ...output])) {
      if (needed) handle.ref();
      else handle.unref();
    }
  }

  #expectReady() {
    let ticks = 0;
    const clock = setInterval(() => {
      ticks += 1;
      if (ticks >= START_TICKS) this.kill(`it was not ready after ${START_TICKS} seconds`);
    }, TICK_MS);
    const stop = () => clearInterval(clock);
    this.#ready.promise.then(stop, stop);
  }

  /** @param {Buffer} bytes */
  #send(bytes) {
    if (!this.#dead) this.#sandboxed.channel.write(bytes);
  }

  /**
   * @param {Decoder} decoder
   * @param {Buffer} chunk
   */
  #receive(decoder, chunk) {
    if (this.#reason !== undefined) return;
    try {
      for (const { kind, number, payload } of decoder.push(chunk)) this.#take(kind, number, payload);
    } catch (error) {
      this.kill(`it broke the protocol: ${error instanceof Error ? error.message : error}`);
    }
  }

  /**
   * @param {number} kind
   * @param {number} number
   * @param {Buffer} payload
   */
  #take(kind, number, payload) {
    if (kind === KIND.READY) return this.#ready.resolve();
    if (kind === KIND.FULL) return this.retire();
    if (kind === KIND.OWNED) return this.#asked.get(number)?.resolve(payload[0] === 1);
    if (number === 0 || number > this.#last) throw new RangeError(`an unknown request`);
    const pending = this.#open.get(number);
    // It may have been given up here while this was on its way.
    if (pending === undefined) return undefined;
    if (kind === KIND.START) return pending.start(parts(payload));
    if (kind === KIND.CHUNK) return pending.chunk(payload);
    if (kind === KIND.END) return pending.finish();
    if (kind === KIND.TORN) return pending.tear();
    if (kind === KIND.DONE) return pending.end();
    if (kind === KIND.FAILED) return pending.fail();
    if (kind === KIND.LARGE) return pending.refuseSize();
    if (kind === KIND.ALIVE) return pending.answered();
    throw new RangeError(`an unknown kind`);
  }

  /** @param {string} reason */
  #end(reason) {
    if (this.#dead) return;
    this.#dead = true;
    this.retired = true;
    this.#retirement.resolve();
    const lost = [...this.#open.values()].filter((pending) => pending.crash()).map((pending) => pending.name);
    if (lost.length) console.error(`${lost.join(", ")}: the worker ended (${reason}) before its answer was whole`);
    for (const asked of this.#asked.values()) asked.reject(new Error(reason));
    this.#ready.reject(new Error(`the worker did not start: ${reason}`));
    this.#ended.resolve();
  }
}

/** @param {Terms} terms */
function framedBoot({ env, maxResponse }) {
  // Loaded while the other process starts.
  const entropy = process.getBuiltinModule("node:crypto").randomBytes(ENTROPY_BYTES).toString("base64");
  return frame(KIND.BOOT, 0, Buffer.from(JSON.stringify({ env, maxResponse, entropy })));
}

/** @param {number} value */
function uint32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/**
 * @template T
 * @param {number} milliseconds
 * @param {T} value
 * @returns {Promise<T>}
 */
function after(milliseconds, value) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds, value));
}
