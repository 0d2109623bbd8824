// SPDX-License-Identifier: GPL-2.0-only
import type { BlockingOperations, OpenFlags, Storage, StorageFile } from './storage.js';

/** What is used of a FileSystemSyncAccessHandle. */
export interface SyncAccessHandleLike {
  read(into: Uint8Array, options: { readonly at: number }): number;
  write(from: Uint8Array, options: { readonly at: number }): number;
  getSize(): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}

/** Moves views one after the other until one comes short. A handle need not take shared memory, so bytes go through a buffer of its own. */
function moveAll(
  views: readonly Uint8Array[],
  position: number,
  move: (view: Uint8Array, at: number) => number,
): number {
  let done = 0;
  for (const view of views) {
    const moved = move(view, position + done);
    done += moved;
    if (moved < view.length) break;
  }
  return done;
}

const blockingOf = (handle: SyncAccessHandleLike, inode: bigint): BlockingOperations => ({
  stat: () => ({ device: 2n, inode, size: handle.getSize(), version: 0n }),
  read: (into, position) =>
    moveAll(into, position, (view, at) => {
      const own = new Uint8Array(view.length);
      const moved = handle.read(own, { at });
      view.set(own.subarray(0, moved));
      return moved;
    }),
  write: (from, position) => moveAll(from, position, (view, at) => handle.write(new Uint8Array(view), { at })),
  truncate: (size) => handle.truncate(size),
  sync: () => handle.flush(),
  close: () => handle.close(),
});

/**
 * The origin private file system, in a worker. `handleOf` gives the access handle of a path and the number that stands for the file in every thread. A browser
 * may open one exclusive handle of a file only: then one thread opens the file, and the others read what it has brought into the cache.
 */
export function opfsStorage(
  handleOf: (
    path: string,
    flags: OpenFlags,
  ) => Promise<{ readonly handle: SyncAccessHandleLike; readonly inode: bigint }>,
): Storage {
  return {
    async open(path, flags): Promise<StorageFile> {
      const { handle, inode } = await handleOf(path, flags);
      const blocking = blockingOf(handle, inode);
      return {
        stat: async () => blocking.stat(),
        read: async (into, position) => blocking.read(into, position),
        write: async (from, position) => blocking.write(from, position),
        truncate: async (size) => blocking.truncate(size),
        sync: async () => blocking.sync(),
        close: async () => blocking.close(),
        blocking,
      };
    },
    mayBlock: true,
  };
}
