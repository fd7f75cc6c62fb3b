// What Python prints, written before it goes on: what waits in memory could grow without end.
import { writeSync } from "node:fs";

const PAUSE_MS = 1;

/**
 * @param {number} descriptor
 * @returns {(line: string) => void}
 */
export function lines(descriptor) {
  return (line) => {
    const bytes = Buffer.from(`${line}\n`);
    for (let at = 0; at < bytes.length;) at += written(descriptor, bytes.subarray(at));
  };
}

/**
 * @param {number} descriptor
 * @param {Uint8Array} bytes
 * @returns {number} how many were written
 */
function written(descriptor, bytes) {
  try {
    return writeSync(descriptor, bytes);
  } catch (error) {
    const { code } = /** @type {{ code?: string }} */ (error);
    // A reader that has gone, as when the main process ended, reads no more of it.
    if (code !== "EAGAIN") return bytes.length;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
    return 0;
  }
}
