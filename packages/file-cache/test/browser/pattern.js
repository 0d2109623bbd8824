// SPDX-License-Identifier: GPL-2.0-only

/** The byte at a place of a file: it tells where it is from. */
const at = (i, seed) => (Math.imul(i ^ (i >> 12), 0x9e3779b1) >>> 24) ^ seed;

export const patterned = (length, seed = 1, from = 0) => Uint8Array.from({ length }, (_, i) => at(from + i, seed));

/** Where bytes that were read at `from` are not what was written there; -1: nowhere. */
export const firstWrong = (bytes, from, seed = 1) => bytes.findIndex((byte, i) => byte !== at(from + i, seed));
