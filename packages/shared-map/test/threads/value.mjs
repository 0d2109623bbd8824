// SPDX-License-Identifier: GPL-2.0-only

/** A value that tells which key it is of and whether it is whole, of 8 bytes to 6 KB. */
export function makeValue(key, version) {
  const length = 8 + ((key * 7 + version * 131) % (version % 16 === 0 ? 6000 : 300));
  const bytes = new Uint8Array(length).fill((key + version) & 0xff, 8);
  new DataView(bytes.buffer).setUint32(0, key);
  new DataView(bytes.buffer).setUint32(4, version);
  return bytes;
}

/** Throws when a value was not made by {@link makeValue} for that key. */
export function verify(key, value) {
  if (typeof value === 'number') {
    if (value % 1000 !== key) throw new Error(`key ${key} has the integer ${value}`);
    return;
  }
  const view = new DataView(value.buffer, value.byteOffset, value.length);
  const expected = makeValue(key, view.getUint32(4));
  if (view.getUint32(0) !== key || value.length !== expected.length || !value.every((byte, i) => byte === expected[i]))
    throw new Error(`key ${key} has ${value.length} bytes that are none of its values`);
}
