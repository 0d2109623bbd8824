// SPDX-License-Identifier: GPL-2.0-only
import type { OpenFlags, Storage, StorageFile } from './storage.js';

/*
 * Storages of a browser: files that somebody chose (File, Blob), which can be read; and the origin private file system, whose files can be written to as well,
 * in a worker. The types say what is used of them, so that this compiles without a browser's.
 */

/** What is used of a Blob or File. */
export interface BlobLike {
  readonly size: number;
  readonly lastModified?: number;
  slice(start: number, end: number): { arrayBuffer(): Promise<ArrayBuffer> };
}

class BlobStorageError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(`${code}: ${message}`);
    this.code = code;
  }
}

/** Copies bytes into the views, one after the other; how many. */
function scatter(bytes: Uint8Array, into: readonly Uint8Array[]): number {
  let done = 0;
  for (const view of into) {
    const part = bytes.subarray(done, done + view.length);
    view.set(part);
    done += part.length;
  }
  return done;
}

const lengthOf = (views: readonly Uint8Array[]): number => views.reduce((sum, { length }) => sum + length, 0);

const readOnly = async (): Promise<never> => {
  throw new BlobStorageError('EROFS', 'a Blob cannot be written to');
};

function blobFile(blob: BlobLike, inode: bigint): StorageFile {
  return {
    stat: async () => ({ device: 1n, inode, size: blob.size, version: BigInt(blob.lastModified ?? 0) }),
    async read(into, position) {
      const bytes = await blob.slice(position, position + lengthOf(into)).arrayBuffer();
      return scatter(new Uint8Array(bytes), into);
    },
    write: readOnly,
    truncate: readOnly,
    sync: async () => {},
    close: async () => {},
  };
}

/** Files by name. Every thread must be given the same names in the same order: a file's place in the list is what tells it from others. */
export function blobStorage(files: Readonly<Record<string, BlobLike>>, mayBlock = false): Storage {
  const names = Object.keys(files);
  return {
    async open(path: string, { write }: OpenFlags): Promise<StorageFile> {
      const blob = files[path];
      if (blob === undefined) throw new BlobStorageError('ENOENT', `no such file, open '${path}'`);
      if (write) return readOnly();
      return blobFile(blob, BigInt(names.indexOf(path) + 1));
    },
    mayBlock,
  };
}
