// SPDX-License-Identifier: GPL-2.0-only
import { type BlobLike, lengthOf, readBlob, readOnly, scatter } from './blob-storage.js';
import type { BlockingOperations, OpenFlags, Storage, StorageFile } from './storage.js';
import { StorageError, withCode } from './storage-error.js';

/*
 * The origin private file system of a browser. A worker reads and writes by a FileSystemSyncAccessHandle: at once, so blocking operations work, too. Where a browser has the
 * mode readwrite-unsafe (Chromium since 121) every thread has a handle of its own, and all may write: what one of them does to a page the cache orders. Where it has not, a
 * handle is exclusive: one thread at a time may have the file open for writing, and the others, as windows do everywhere, read by File objects, asynchronously.
 */

interface AccessHandle {
  read(into: Uint8Array, options: { readonly at: number }): number;
  write(from: Uint8Array, options: { readonly at: number }): number;
  getSize(): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}
interface FileHandle {
  getFile(): Promise<BlobLike>;
  /** In dedicated workers. */
  createSyncAccessHandle?(options?: { readonly mode: 'readwrite-unsafe' }): Promise<AccessHandle>;
}
interface Directory {
  getDirectoryHandle(name: string): Promise<Directory>;
  getFileHandle(name: string, options: { readonly create: boolean }): Promise<FileHandle>;
}
interface Browser {
  readonly navigator?: { readonly storage?: { getDirectory?(): Promise<Directory> } };
  readonly FileSystemSyncAccessHandle?: { readonly prototype: object };
}
const browser = globalThis as Browser;

/** Whether several handles of one file may be open at a time: a handle that knows its mode was made with one. */
const sharesHandles = (): boolean => 'mode' in (browser.FileSystemSyncAccessHandle?.prototype ?? {});

/** There are no inode numbers: a file is its path, of which this is a hash (FNV-1a, 64 bits). */
function numberOf(parts: readonly string[]): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(parts.join('/')))
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash;
}

/** Errors with a code. */
function told<T>(what: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw withCode(error, what);
  }
}

function blockingOf(handle: AccessHandle, inode: bigint, path: string): BlockingOperations {
  return {
    stat: () => told(`stat '${path}'`, () => ({ device: 2n, inode, size: handle.getSize(), version: 0n })),
    // A handle takes no shared memory, so bytes go through a buffer of its own.
    read: (into, position) =>
      told(`read '${path}'`, () => {
        const own = new Uint8Array(lengthOf(into));
        return scatter(own.subarray(0, handle.read(own, { at: position })), into);
      }),
    write: (from, position) =>
      told(`write '${path}'`, () => {
        const own = new Uint8Array(lengthOf(from));
        let at = 0;
        for (const view of from) {
          own.set(view, at);
          at += view.length;
        }
        const written = handle.write(own, { at: position });
        if (written < own.length) throw new StorageError('EIO', `${written} of ${own.length} bytes were written`);
        return written;
      }),
    truncate: (size) => told(`truncate '${path}'`, () => handle.truncate(size)),
    sync: () => told(`fsync '${path}'`, () => handle.flush()),
    close: () => handle.close(),
  };
}

function accessedFile(handle: AccessHandle, inode: bigint, path: string): StorageFile {
  const blocking = blockingOf(handle, inode, path);
  return {
    stat: async () => blocking.stat(),
    read: async (into, position) => blocking.read(into, position),
    write: async (from, position) => blocking.write(from, position),
    truncate: async (size) => blocking.truncate(size),
    sync: async () => blocking.sync(),
    close: async () => blocking.close(),
    blocking,
  };
}

/** A File is good until somebody writes: then it is had again. */
const AGAIN = 8;

async function readAgain(handle: FileHandle, into: readonly Uint8Array[], position: number): Promise<number> {
  for (let tries = 1; ; tries++) {
    try {
      return await readBlob(await handle.getFile(), into, position);
    } catch (error) {
      if ((error as { readonly name?: unknown }).name !== 'NotReadableError' || tries === AGAIN) throw error;
    }
  }
}

const readFile = (handle: FileHandle, inode: bigint): StorageFile => ({
  ...readOnly,
  stat: async () => ({ device: 2n, inode, size: (await handle.getFile()).size, version: 0n }),
  read: (into, position) => readAgain(handle, into, position),
});

/** The handle of a path, made if the flags say so. */
async function find(parts: readonly string[], { create, exclusive }: OpenFlags, path: string): Promise<FileHandle> {
  const root = browser.navigator?.storage?.getDirectory;
  if (root === undefined) throw new StorageError('ENOTSUP', 'this browser has no origin private file system');
  let directory = await root.call(browser.navigator?.storage);
  for (const part of parts.slice(0, -1)) directory = await directory.getDirectoryHandle(part);
  const name = parts.at(-1) ?? '';
  if (!create || !exclusive) return await directory.getFileHandle(name, { create });
  const there = await directory.getFileHandle(name, { create: false }).catch(() => undefined);
  if (there !== undefined) throw new StorageError('EEXIST', `file already exists, open '${path}'`);
  return await directory.getFileHandle(name, { create });
}

async function open(path: string, flags: OpenFlags): Promise<StorageFile> {
  const parts = path.split('/').filter((part) => part !== '');
  try {
    const handle = await find(parts, flags, path);
    const inode = numberOf(parts);
    const mine = handle.createSyncAccessHandle !== undefined;
    if (!mine && flags.write)
      throw new StorageError('ENOTSUP', 'the origin private file system can be written to in dedicated workers only');
    if (mine && sharesHandles())
      return accessedFile(
        (await handle.createSyncAccessHandle?.({ mode: 'readwrite-unsafe' })) as AccessHandle,
        inode,
        path,
      );
    if (mine && flags.write)
      return accessedFile((await handle.createSyncAccessHandle?.()) as AccessHandle, inode, path);
    return readFile(handle, inode);
  } catch (error) {
    throw withCode(error, `open '${path}'`);
  }
}

/**
 * The origin private file system: paths from its root, directories of which exist. Written to in dedicated workers; in a window, and in workers of browsers where an
 * access handle is exclusive while another has the file open for writing, files can be read. Changes that are made past the cache are noticed
 * when the file is opened again, by the size.
 */
export function opfsStorage(): Storage {
  return { open, mayBlock: browser.FileSystemSyncAccessHandle !== undefined };
}
