import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32, deflateRawSync } from "node:zlib";

import { entries } from "../../runtimes/edge_worker/zip.mjs";

/**
 * An archive of one entry, its size as told.
 * @param {string} path
 * @param {Uint8Array} content
 * @param {number} [method]
 * @param {number} [size]
 */
function archive(path, content, method = 8, size = content.byteLength) {
  const name = Buffer.from(path);
  const packed = method === 8 ? deflateRawSync(content) : Buffer.from(content);
  const local = Buffer.alloc(30);
  local.writeUInt32LE(0x04034b50, 0);
  local.writeUInt16LE(name.length, 26);
  const entry = Buffer.alloc(46);
  entry.writeUInt32LE(0x02014b50, 0);
  entry.writeUInt16LE(method, 10);
  entry.writeUInt32LE(crc32(content), 16);
  entry.writeUInt32LE(packed.length, 20);
  entry.writeUInt32LE(size, 24);
  entry.writeUInt16LE(name.length, 28);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(entry.length + name.length, 12);
  end.writeUInt32LE(local.length + name.length + packed.length, 16);
  return Buffer.concat([local, name, packed, entry, name, end]);
}

const content = new TextEncoder().encode("x = 1\n".repeat(100));

test("stored and deflated files come out as they went in", () => {
  for (const method of [0, 8]) {
    const [file] = entries(archive("lib/ä.py", content, method));
    assert.equal(file.path, "lib/ä.py");
    assert.deepEqual([...file.content], [...content]);
  }
  assert.deepEqual([...entries(archive("lib/", new Uint8Array(), 0))], []);
});

test("paths that leave the folder are refused", () => {
  for (const path of ["../x.py", "a/../../x.py", "/etc/x.py"]) {
    assert.throws(() => [...entries(archive(path, content))], /unsafe path/);
  }
});

test("damaged and foreign archives are refused", () => {
  assert.throws(() => [...entries(content)], /not a zip/);
  assert.throws(() => [...entries(archive("a", content, 12))], /compression method 12/);
  assert.throws(() => [...entries(archive("a", content, 0, 5))], /damaged/);
  assert.throws(() => [...entries(archive("a", content, 8, 5))]);
});
