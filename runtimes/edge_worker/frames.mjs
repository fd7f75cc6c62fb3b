// What the main process and its sandboxed child say to each other: frames of a length (4 bytes, little endian), a kind
// (1 byte), a number (4 bytes, the request's, or 0) and a payload.

/** The kinds. The child's are untrusted: user code may have written them. */
export const KIND = Object.freeze({
  // main to child
  BOOT: 1, // JSON: { env, maxResponse, entropy }, the last in Base64
  REQUEST: 2, // head and body
  ABORT: 3, // nobody waits for this request's answer any more
  CREDIT: 4, // 4 bytes: so many bytes of a streamed body were taken
  OWNS: 5, // a request target in Latin-1
  // child to main
  READY: 16,
  START: 17, // head, and the body or its first part
  CHUNK: 18,
  END: 19, // the streamed body is whole
  TORN: 20, // the streamed body breaks off
  DONE: 21, // the app has ended this request
  FAILED: 22, // there is no answer; the reason is in the log
  LARGE: 23, // JSON: the size of an answer that is larger than maxResponse
  ALIVE: 24, // in answer to ABORT
  OWNED: 25, // 1 byte: whether this worker answers the target
  FULL: 26, // its memory is used up: another process should take the requests to come
});

/** How many bytes of one streamed body may be on their way. */
export const WINDOW = 256 * 1024;
export const HEADER = 9;

/**
 * @param {number} kind
 * @param {number} number
 * @param {Uint8Array} [payload]
 */
export function frame(kind, number, payload) {
  const size = payload?.byteLength ?? 0;
  const bytes = Buffer.allocUnsafe(HEADER + size);
  bytes.writeUInt32LE(size, 0);
  bytes[4] = kind;
  bytes.writeUInt32LE(number, 5);
  if (payload !== undefined) bytes.set(payload, HEADER);
  return bytes;
}

/**
 * A frame whose payload is JSON and then bytes.
 * @param {number} kind
 * @param {number} number
 * @param {unknown} head
 * @param {Uint8Array | null | undefined} body
 */
export function framed(kind, number, head, body) {
  const text = JSON.stringify(head);
  const length = Buffer.byteLength(text);
  const size = 4 + length + (body?.byteLength ?? 0);
  const bytes = Buffer.allocUnsafe(HEADER + size);
  bytes.writeUInt32LE(size, 0);
  bytes[4] = kind;
  bytes.writeUInt32LE(number, 5);
  bytes.writeUInt32LE(length, HEADER);
  bytes.write(text, HEADER + 4);
  if (body) bytes.set(body, HEADER + 4 + length);
  return bytes;
}

/**
 * The two parts of what `framed` wrote.
 * @param {Buffer} payload
 * @returns {{ head: any, body: Buffer | null }}
 * @throws {Error} if it is something else
 */
export function parts(payload) {
  const length = payload.readUInt32LE(0);
  if (4 + length > payload.byteLength) throw new RangeError("a frame's head is longer than the frame");
  const body = payload.subarray(4 + length);
  return { head: JSON.parse(payload.toString("utf8", 4, 4 + length)), body: body.byteLength ? body : null };
}

/** Cuts what arrives into frames. */
export class Decoder {
  /** @type {Buffer[]} */
  #chunks = [];
  #held = 0;
  #wanted = HEADER;
  #limit;

  /** @param {number} limit bytes that a payload may have */
  constructor(limit) {
    this.#limit = limit;
  }

  /**
   * The frames that are whole with `chunk`; their payloads are views of what arrived.
   * @param {Buffer} chunk
   * @returns {Generator<{ kind: number, number: number, payload: Buffer }>}
   * @throws {RangeError} if a frame is larger than the limit
   */
  *push(chunk) {
    this.#chunks.push(chunk);
    this.#held += chunk.byteLength;
    if (this.#held < this.#wanted) return;
    let bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    while (bytes.byteLength >= HEADER) {
      const size = bytes.readUInt32LE(0);
      if (size > this.#limit) throw new RangeError(`a frame of ${size} bytes`);
      this.#wanted = HEADER + size;
      if (bytes.byteLength < this.#wanted) break;
      yield { kind: bytes[4], number: bytes.readUInt32LE(5), payload: bytes.subarray(HEADER, this.#wanted) };
      bytes = bytes.subarray(this.#wanted);
      this.#wanted = HEADER;
    }
    this.#chunks = bytes.byteLength ? [bytes] : [];
    this.#held = bytes.byteLength;
  }
}
