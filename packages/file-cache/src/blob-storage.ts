// SPDX-License-Identifier: GPL-2.0-only

import type { BlockingOperations, OpenFlags, Storage, StorageFile, StorageStat } from './storage.js';
import { StorageError } from './storage-error.js';

/*
 * Files that somebody chose, or that were fetched: they can be read, by any thread that they are sent to. The types say what is used of them, so that
 * this compiles without a browser's.
 */

/** What is used of a Blob or File. */
export interface BlobLike {
  readonly size: number;
  readonly lastModified?: number;
  slice(start: number, end: number): { arrayBuffer(): Promise<ArrayBuffer> };
}

interface ReaderSync {
  readAsArrayBuffer(blob: ReturnType<BlobLike['slice']>): ArrayBuffer;
}

/** What reads a Blob at once: workers of a browser have it, windows and Node do not. */
const { FileReaderSync } = globalThis as { readonly FileReaderSync?: new () => ReaderSync };

export const lengthOf = (views: readonly Uint8Array[]): number => views.reduce((sum, { length }) => sum + length, 0);

/** Copies bytes into the views, one after the other; how many. */
export function scatter(bytes: Uint8Array, into: readonly Uint8Array[]): number {
  let done = 0;
  for (const view of into) {
    const part = bytes.subarray(done, done + view.length);
    view.set(part);
    done += part.length;
  }
  return done;
}

/** Fills the views from byte `position` of a Blob on; how many bytes there were. */
export async function readBlob(blob: BlobLike, into: readonly Uint8Array[], position: number): Promise<number> {
  const bytes = await blob.slice(position, position + lengthOf(into)).arrayBuffer();
  return scatter(new Uint8Array(bytes), into);
}

const refuse = (): never => {
  throw new StorageError('EROFS', 'a Blob cannot be written to');
};
const refuseLater = async (): Promise<never> => refuse();

/** The operations of a file that can only be read, all but those that read. */
export const readOnly: Pick<StorageFile, 'write' | 'truncate' | 'sync' | 'close'> = {
  write: refuseLater,
  truncate: refuseLater,
  sync: async () => {},
  close: async () => {},
};

function blockingOf(Reader: new () => ReaderSync, blob: BlobLike, stat: StorageStat): BlockingOperations {
  const reader = new Reader();
  return {
    stat: () => stat,
    read(into, position) {
      const bytes = reader.readAsArrayBuffer(blob.slice(position, position + lengthOf(into)));
      return scatter(new Uint8Array(bytes), into);
    },
    write: refuse,
    truncate: refuse,
    sync: () => {},
    close: () => {},
  };
}

function blobFile(blob: BlobLike, inode: bigint): StorageFile {
  const stat = { device: 1n, inode, size: blob.size, version: BigInt(blob.lastModified ?? 0) };
  return {
    ...readOnly,
    stat: async () => stat,
    read: (into, position) => readBlob(blob, into, position),
    ...(FileReaderSync !== undefined && { blocking: blockingOf(FileReaderSync, blob, stat) }),
  };
}

/**
 * Files by name. Every thread must be given the same names in the same order: a file's place in the list is what tells it from others. In a browser's workers there
 * are blocking operations, too.
 */
export function blobStorage(files: Readonly<Record<string, BlobLike>>): Storage {
  const names = Object.keys(files);
  const open = (path: string, { write }: OpenFlags): StorageFile => {
    if (!names.includes(path)) throw new StorageError('ENOENT', `no such file, open '${path}'`);
    if (write) return refuse();
    return blobFile(files[path], BigInt(names.indexOf(path) + 1));
  };
  return {
    open: async (path, flags) => open(path, flags),
    ...(FileReaderSync !== undefined && { openBlocking: open }),
    mayBlock: FileReaderSync !== undefined,
  };
}
