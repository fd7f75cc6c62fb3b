// Bodies as bytes.

/**
 * All bytes of a body, or undefined if there are more than `limit`.
 * @param {AsyncIterable<Uint8Array>} chunks
 * @param {number} limit
 * @returns {Promise<Uint8Array | undefined>}
 */
export async function collect(chunks, limit) {
  const parts = [];
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.byteLength;
    if (size > limit) return undefined;
    parts.push(chunk);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}
