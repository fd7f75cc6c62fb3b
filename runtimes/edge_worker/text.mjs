// Texts as the bytes that were sent, and bytes as the texts that results carry.

/**
 * One character per byte, as the worker takes targets and headers.
 * @param {string} text
 */
export function bytesOf(text) {
  return /[^\0-\xff]/.test(text) ? Buffer.from(text, "utf8").toString("latin1") : text;
}

/**
 * The body as text if the bytes survive the way through JSON.
 * @param {Uint8Array} body
 */
export function textOf(body) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    return undefined;
  }
}
