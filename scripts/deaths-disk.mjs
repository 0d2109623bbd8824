// SPDX-License-Identifier: MIT
// @ts-check
// A storage in shared memory: what was written to it is there whoever dies, and it can be put back as it was.

/** Words of a file beside its bytes: its size, and how often it was written. */
const HEAD = 2;

/** The path of the last file, the first bytes of which are not there: so many. It ends before 4 GiB, or beyond. */
export const FAR = 'far';
export const FAR_BYTES = 2 ** 32 - 4096;

export class Disk {
  /** @param {SharedArrayBuffer} buffer @param {number} files @param {number} bytes that a file may have */
  constructor(buffer, files, bytes) {
    this.buffer = buffer;
    this.files = files;
    this.bytes = bytes;
    this.words = new Int32Array(buffer, 0, HEAD * files);
  }

  /** @param {number} files @param {number} bytes */
  static create(files, bytes) {
    return new Disk(new SharedArrayBuffer(4 * HEAD * files + files * bytes), files, bytes);
  }

  /** @param {number} file */
  sizeOf(file) {
    return this.words[HEAD * file];
  }

  /** All bytes of a file. @param {number} file */
  contents(file) {
    return this.place(file).slice(0, this.sizeOf(file));
  }

  /** @param {number} file @param {Uint8Array} bytes */
  replace(file, bytes) {
    this.place(file).set(bytes);
    this.words[HEAD * file] = bytes.length;
  }

  /** @param {number} file */
  place(file) {
    return new Uint8Array(this.buffer, 4 * HEAD * this.files + file * this.bytes, this.bytes);
  }

  /**
   * The storage; paths are numbers. `point` is called after each change, and at the end of each call.
   * @param {() => void} point @param {boolean} mayBlock
   * @returns {import('@lockless/file-cache').Storage}
   */
  storage(point, mayBlock) {
    const openBlocking = (/** @type {string} */ path) =>
      path === FAR ? this.open(this.files - 1, point, FAR_BYTES) : this.open(Number(path), point);
    return { mayBlock, openBlocking, open: async (path) => openBlocking(path) };
  }

  /** @param {number} file @param {() => void} point @param {number} base where its bytes begin @returns {import('@lockless/file-cache').StorageFile} */
  open(file, point, base = 0) {
    const place = this.place(file);
    const changed = (/** @type {number} */ size) => {
      this.words[HEAD * file] = size;
      this.words[HEAD * file + 1]++;
      point();
    };
    const blocking = {
      stat: () => {
        point();
        const [size, version] = this.words.subarray(HEAD * file, HEAD * (file + 1));
        return { device: 1n, inode: BigInt(file), size: base + size, version: BigInt(version) };
      },
      read: (/** @type {readonly Uint8Array[]} */ into, /** @type {number} */ position) => {
        const from = position - base;
        let at = from;
        for (const view of into) {
          const piece = place.subarray(at, Math.max(at, Math.min(at + view.length, this.sizeOf(file))));
          view.set(piece);
          at += piece.length;
          point();
        }
        return at - from;
      },
      write: (/** @type {readonly Uint8Array[]} */ views, /** @type {number} */ position) => {
        const from = position - base;
        let at = from;
        for (const view of views) {
          place.set(view, at);
          at += view.length;
          changed(Math.max(at, this.sizeOf(file)));
        }
        return at - from;
      },
      truncate: (/** @type {number} */ size) => {
        place.fill(0, Math.min(size - base, this.sizeOf(file)));
        changed(size - base);
      },
      sync: point,
      close: point,
    };
    /** @template {unknown[]} A @template R @param {(...operands: A) => R} call @returns {(...operands: A) => Promise<R>} */
    const later =
      (call) =>
      async (...operands) => {
        await new Promise((resolve) => setImmediate(resolve));
        return call(...operands);
      };
    return {
      ...{ stat: later(blocking.stat), read: later(blocking.read), write: later(blocking.write) },
      ...{ truncate: later(blocking.truncate), sync: later(blocking.sync), close: later(blocking.close), blocking },
    };
  }
}
