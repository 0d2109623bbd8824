// SPDX-License-Identifier: GPL-2.0-only
/// <reference lib="esnext.disposable" preserve="true" />
export type { Verification } from './account.js';
export { type BlobLike, blobStorage } from './blob-storage.js';
export { type FileCacheOptions, type FileCacheThreadOptions, type SharedFileCache, wordsOfCache } from './boot.js';
export type { CachedFile, ChunkOptions } from './cached-file.js';
export { FileCacheError, type FileCacheErrorCode } from './errors.js';
export { FileCache } from './file-cache.js';
export { opfsStorage } from './opfs-storage.js';
export type { Statistics } from './statistics.js';
export {
  type BlockingOperations,
  type FileIdentity,
  type OpenFlags,
  parseFlags,
  type Storage,
  type StorageFile,
  type StorageStat,
} from './storage.js';
export type { PageView, RangeView } from './view.js';
