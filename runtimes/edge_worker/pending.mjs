// A request that the sandboxed process has not ended, and its answer as far as it has come.
import { refusal } from "./bridge.mjs";
import { WINDOW } from "./frames.mjs";

/** @import { Reply } from "./bridge.mjs" */

/**
 * What goes back to the process.
 * @typedef {object} Back
 * @property {(bytes: number) => void} credit
 * @property {() => void} abort
 */

/** Bytes after which credit is given; less often costs fewer messages. */
const STEP = WINDOW / 4;

/** The app ended in the middle of its response; why is in the log. */
export class Torn extends Error {}

/** The response grew larger than the target may answer, which is in the log too. */
export class TooLarge extends Torn {}

export class Pending {
  /** @type {PromiseWithResolvers<Reply>} */
  #reply = Promise.withResolvers();
  /** @type {PromiseWithResolvers<void>} */
  #done = Promise.withResolvers();
  /** @type {PromiseWithResolvers<boolean>} */
  #alive = Promise.withResolvers();
  /** @type {ReadableStreamDefaultController<Uint8Array> | undefined} */
  #stream;
  #began = false;
  #whole = false;
  /** Whether what still comes is of no interest. */
  #over = false;
  #expired = false;
  /** Bytes of the body that have come, and of those that were not credited yet. */
  #size = 0;
  #owed = 0;
  #back;
  #limit;

  /**
   * @param {string} name for the log: method and path
   * @param {number} limit bytes that the body may have
   * @param {Back} back
   */
  constructor(name, limit, back) {
    this.name = name;
    this.#limit = limit;
    this.#back = back;
  }

  get reply() {
    return this.#reply.promise;
  }

  /** Resolves when nothing more will come. */
  get done() {
    return this.#done.promise;
  }

  /** Resolves with true when the process has answered to `abort`. */
  get alive() {
    return this.#alive.promise;
  }

  /**
   * @param {{ head: any, body: Buffer | null }} message
   * @throws {Error} if it is no head of a response, or the second one
   */
  start({ head, body }) {
    const [status, headers, streamed] = head;
    if (!Number.isInteger(status) || status < 200 || status > 599) throw new RangeError("a status out of range");
    if (!Array.isArray(headers) || headers.length % 2 || !headers.every((text) => typeof text === "string")) {
      throw new TypeError("headers that are none");
    }
    if (this.#over) return;
    if (this.#began) throw new Error("a second answer");
    if ((streamed ? declared(headers) : (body?.byteLength ?? 0)) > this.#limit) {
      this.refuseSize();
      return;
    }
    this.#whole = !streamed;
    this.#answer({ status, headers, body: streamed ? this.#streamed() : body, done: this.done });
  }

  /**
   * @param {Buffer} bytes
   * @throws {Error} if more is sent than was asked for
   */
  chunk(bytes) {
    const stream = this.#stream;
    if (stream === undefined) return;
    this.#size += bytes.byteLength;
    this.#owed += bytes.byteLength;
    if (this.#owed > WINDOW) throw new RangeError("more of a body than was asked for");
    if (this.#size > this.#limit) {
      this.#logSize();
      this.#back.abort();
      this.tear(new TooLarge("the response is too large"));
      return;
    }
    stream.enqueue(bytes);
  }

  /** The body is whole. */
  finish() {
    this.#whole = true;
    this.#stream?.close();
    this.#stream = undefined;
  }

  /** The body stays in part. */
  tear(reason = new Torn("the app broke off its response")) {
    this.#whole = true;
    this.#stream?.error(reason);
    this.#stream = undefined;
  }

  /** There is no answer; the app's side has said why. */
  fail() {
    this.end();
  }

  /** The answer is too large. */
  refuseSize() {
    this.#logSize();
    this.#whole = true;
    this.#over = true;
    this.#back.abort();
    this.#refuse(502, "Bad Gateway");
  }

  /** The app has ended. */
  end() {
    if (this.#expired) this.timeOut();
    this.#refuse(500, "Internal Server Error");
    if (this.#stream !== undefined) this.tear();
    this.#alive.resolve(true);
    this.#done.resolve();
  }

  /**
   * The process is gone. A request in it may have done its work in part, so it is never tried again.
   * @returns {boolean} whether that took something from the answer
   */
  crash() {
    const lost = !this.#expired && !this.#whole;
    if (this.#expired) this.timeOut();
    this.#refuse(502, "Bad Gateway");
    this.tear();
    this.#alive.resolve(false);
    this.#done.resolve();
    return lost;
  }

  /** Its time is up. */
  expire() {
    this.#expired = true;
    this.#over = true;
    this.tear();
    this.#back.abort();
  }

  /** The answer to a request whose time is up; given once nothing of the app can harm the next one. */
  timeOut() {
    this.#refuse(504, "Gateway Timeout");
  }

  /** The process has taken notice of `abort`. */
  answered() {
    this.#alive.resolve(true);
  }

  /** @param {unknown} reason nobody waits for the answer any more */
  abort(reason) {
    this.#over = true;
    this.#reply.promise.catch(() => undefined);
    this.#reply.reject(reason);
    this.#stream?.error(reason);
    this.#stream = undefined;
    this.#whole = true;
    this.#back.abort();
  }

  /** @param {Reply} reply counts only if it is the first */
  #answer(reply) {
    this.#began = true;
    this.#reply.resolve(reply);
  }

  /**
   * @param {number} status
   * @param {string} error
   */
  #refuse(status, error) {
    if (!this.#began) this.#answer({ ...refusal(status, error), done: this.done });
  }

  #logSize() {
    console.error(
      `${this.name}: the response is larger than the ${this.#limit} bytes that its target may answer; ` +
        'make it smaller, or use runtime = "nodejs" and a store for files',
    );
  }

  #streamed() {
    return new ReadableStream(
      {
        start: (controller) => void (this.#stream = controller),
        pull: (controller) => this.#credit(WINDOW - (controller.desiredSize ?? 0)),
        cancel: () => {
          this.#stream = undefined;
          this.#whole = true;
          this.#over = true;
          this.#back.abort();
        },
      },
      { highWaterMark: WINDOW, size: (chunk) => chunk.byteLength },
    );
  }

  /** @param {number} queued bytes that the reader has not taken */
  #credit(queued) {
    const taken = this.#owed - queued;
    if (taken < STEP) return;
    this.#owed -= taken;
    this.#back.credit(taken);
  }
}

/** @param {string[]} headers */
function declared(headers) {
  const at = headers.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === "content-length");
  return at < 0 ? 0 : Number(headers[at + 1]) || 0;
}
