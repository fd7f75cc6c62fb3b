// Reads the zip archives that the build writes: stored or deflated entries, sizes below 4 GB, no encryption.
import { inflateRawSync } from "node:zlib";

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const END_SIZE = 22;

/**
 * The files of an archive, folders left out.
 * @param {Uint8Array} archive
 * @returns {Generator<{ path: string, content: Uint8Array }>}
 * @throws {Error} if this is not such an archive, or a path leaves the folder it is unpacked into
 */
export function* entries(archive) {
  const view = new DataView(archive.buffer, archive.byteOffset, archive.byteLength);
  const end = endOfDirectory(view);
  let at = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left -= 1) {
    if (view.getUint32(at, true) !== ENTRY) throw new Error("the zip's directory is damaged");
    const method = view.getUint16(at + 10, true);
    const packedSize = view.getUint32(at + 20, true);
    const size = view.getUint32(at + 24, true);
    const nameLength = view.getUint16(at + 28, true);
    const local = view.getUint32(at + 42, true);
    const path = new TextDecoder().decode(archive.subarray(at + 46, at + 46 + nameLength));
    at += 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (path.endsWith("/")) continue;
    if (path.startsWith("/") || path.split("/").includes("..")) throw new Error(`the zip has an unsafe path: ${path}`);
    const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    yield { path, content: unpacked(archive.subarray(start, start + packedSize), method, size) };
  }
}

/** @param {DataView} view */
function endOfDirectory(view) {
  for (let at = view.byteLength - END_SIZE; at >= 0; at -= 1) {
    if (view.getUint32(at, true) === END) return at;
  }
  throw new Error("not a zip archive");
}

/**
 * @param {Uint8Array} packed
 * @param {number} method 0 is stored, 8 deflated
 * @param {number} size
 */
function unpacked(packed, method, size) {
  if (method !== 0 && method !== 8) throw new Error(`the zip uses compression method ${method}`);
  const content = method === 0 ? packed.slice() : inflateRawSync(packed, { maxOutputLength: Math.max(size, 1) });
  if (content.byteLength !== size) throw new Error("the zip is damaged");
  return content;
}
