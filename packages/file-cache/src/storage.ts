// SPDX-License-Identifier: GPL-2.0-only

/*
 * Where the bytes come from: what the cache asks of a file system. Node's is node-storage.ts, a browser's blob-storage.ts and opfs-storage.ts; tests have one
 * that fails on demand. Whatever an adapter throws reaches the caller as it is.
 */

/** What names a file whatever its path: two opens of one file must say the same, in every thread. */
export interface FileIdentity {
  /** Device, or any number below 2^64 that tells one storage from another. */
  readonly device: bigint;
  /** Number of the file on it. */
  readonly inode: bigint;
}

/** What the storage says of a file now. */
export interface StorageStat extends FileIdentity {
  /** Bytes. */
  readonly size: number;
  /** Changes when somebody else changes the file: its time of modification, say. */
  readonly version: bigint;
}

/** How a file is to be opened. {@link parseFlags} makes one of Node's flags. */
export interface OpenFlags {
  readonly write: boolean;
  readonly create: boolean;
  /** With `create`: there must be no such file. */
  readonly exclusive: boolean;
  readonly truncate: boolean;
  /** All writes go to the end of the file. */
  readonly append: boolean;
}

/** The operations of an open file that block the thread; a storage need not have them. */
export interface BlockingOperations {
  stat(): StorageStat;
  read(into: readonly Uint8Array[], position: number): number;
  write(from: readonly Uint8Array[], position: number): number;
  truncate(size: number): void;
  sync(): void;
  close(): void;
}

/** An open file of a storage. Each thread opens its own. The views that are read into and written from are over shared memory. */
export interface StorageFile {
  stat(): Promise<StorageStat>;
  /** Fills the views, one after the other, from byte `position` on. Resolves to the number of bytes, fewer only at the end of the file. */
  read(into: readonly Uint8Array[], position: number): Promise<number>;
  /** Writes the views, one after the other; all of them, or it rejects. */
  write(from: readonly Uint8Array[], position: number): Promise<number>;
  truncate(size: number): Promise<void>;
  /** What was written is on the medium when this resolves. */
  sync(): Promise<void>;
  close(): Promise<void>;
  readonly blocking?: BlockingOperations;
}

/** A file system. */
export interface Storage {
  /** Opens a file for reading, and for writing if the flags say so. It is not truncated: the cache does that. */
  open(path: string, flags: OpenFlags): Promise<StorageFile>;
  /** As {@link open}, at once; a storage whose files have no blocking operations has none. */
  openBlocking?(path: string, flags: OpenFlags): StorageFile;
  /** Whether this thread may be put to sleep: not the main thread, whose event loop others wait for. */
  readonly mayBlock: boolean;
}

const FLAGS: Readonly<Record<string, OpenFlags>> = {
  r: { write: false, create: false, exclusive: false, truncate: false, append: false },
  'r+': { write: true, create: false, exclusive: false, truncate: false, append: false },
  w: { write: true, create: true, exclusive: false, truncate: true, append: false },
  wx: { write: true, create: true, exclusive: true, truncate: true, append: false },
  a: { write: true, create: true, exclusive: false, truncate: false, append: true },
  ax: { write: true, create: true, exclusive: true, truncate: false, append: true },
};

/** Node's flags of open(): r, r+, w, w+, wx, wx+, a, a+, ax, ax+. A file that is open for writing can be read, too. Throws TypeError for others. */
export function parseFlags(flags: string): OpenFlags {
  const parsed = FLAGS[flags] ?? FLAGS[flags.replace('+', '')];
  if (parsed === undefined || flags.indexOf('+') < flags.length - 1 !== (flags.indexOf('+') === -1))
    throw new TypeError(`unknown flags '${flags}': one of r, r+, w, w+, wx, wx+, a, a+, ax, ax+`);
  return parsed;
}
