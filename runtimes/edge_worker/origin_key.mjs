// The key with which the CDN shows that a request comes through it.

export const KEY_HEADER = "x-packager-origin-key";

/** What a request without the key is answered with, as API Gateway spells it. */
export const FORBIDDEN = { status: 403, body: JSON.stringify({ message: "Forbidden" }) };

/** @typedef {(sent: string | undefined) => boolean} Admits */

/**
 * Whether a request may pass, given its `KEY_HEADER`; undefined if the deployment has no key, and all may.
 * @param {Record<string, string | undefined>} environment
 * @returns {Admits | undefined}
 */
export function originKey({ PACKAGER_ORIGIN_KEY: key }) {
  if (!key) return undefined;
  const expected = Buffer.from(key);
  return (sent) => {
    if (sent === undefined) return false;
    const given = Buffer.from(sent);
    // Loaded by the first request: the start does without.
    const { timingSafeEqual } = process.getBuiltinModule("node:crypto");
    return given.byteLength === expected.byteLength && timingSafeEqual(given, expected);
  };
}
