// SPDX-License-Identifier: GPL-2.0-only

/**
 * What goes wrong in the cache itself. What goes wrong in the file system comes as the file system's own error, with its code (`ENOENT`, `EIO`, ...).
 */
export type FileCacheErrorCode =
  /** The budget is too small, or no whole number of bytes. */
  | 'ERR_FILE_CACHE_BUDGET'
  /** What attach() was given is not shared memory, or no cache. */
  | 'ERR_FILE_CACHE_NOT_SHARED'
  /** The cache is closed, or this thread has left it. */
  | 'ERR_FILE_CACHE_CLOSED'
  /** A view was used after its release, or released twice. */
  | 'ERR_FILE_CACHE_VIEW_RELEASED'
  /** More files are open than the cache was made for. */
  | 'ERR_FILE_CACHE_TOO_MANY_FILES'
  /** This thread holds more views than it may. */
  | 'ERR_FILE_CACHE_TOO_MANY_VIEWS'
  /** The file has views that are not released. */
  | 'EBUSY'
  /** A page stays locked: its holder is stuck, or died where nobody watched it. */
  | 'ERR_FILE_CACHE_STUCK'
  /** All frames are held by views, or by dirty pages that cannot be written. */
  | 'ENOMEM'
  /** The file is closed, or not open for writing. */
  | 'EBADF'
  /** A position or length that no file can have. */
  | 'EINVAL'
  /** A write failed since the last fsync. */
  | 'EIO'
  | 'ENOSPC'
  /** A blocking operation on a thread, or a storage, that cannot block. */
  | 'ERR_FILE_CACHE_MAY_NOT_BLOCK'
  /** A blocking operation would wait for what this very thread is at asynchronously, or for another thread that waits for that. */
  | 'EDEADLK';

/** An error of the cache, with a code as Node's errors have. */
export class FileCacheError extends Error {
  override readonly name: string = 'FileCacheError';
  readonly code: FileCacheErrorCode;

  constructor(code: FileCacheErrorCode, message: string, options?: ErrorOptions) {
    super(`${code}: ${message}`, options);
    this.code = code;
  }
}

/** Whether an operation was refused because it would wait for what can only come after it. */
export const isDeadlock = (error: unknown): boolean => error instanceof FileCacheError && error.code === 'EDEADLK';
