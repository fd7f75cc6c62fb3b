// What the app writes to its standard output and error, on the way to the log.

/** @import { Readable } from "node:stream" */

/** Bytes that may be written from one request to the next; CloudWatch would take more, and charge for it. */
const MAX_BYTES = 1024 * 1024;

export class Logged {
  #left = MAX_BYTES;

  /** @param {Readable[]} streams */
  constructor(streams) {
    for (const stream of streams) stream.on("data", (chunk) => this.#pass(chunk));
  }

  /** A new request has begun. */
  allow() {
    this.#left = MAX_BYTES;
  }

  /** @param {Buffer} chunk */
  #pass(chunk) {
    if (this.#left <= 0) return;
    this.#left -= chunk.byteLength;
    if (this.#left > 0) process.stderr.write(chunk);
    else process.stderr.write(`\nthe app wrote more than ${MAX_BYTES} bytes to its output; the rest is left out\n`);
  }
}
