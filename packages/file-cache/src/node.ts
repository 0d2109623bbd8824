// SPDX-License-Identifier: GPL-2.0-only
import { Readable } from 'node:stream';
import type { CachedFile, ChunkOptions } from './cached-file.js';
import { setDefaultStorage } from './file-cache.js';
import { nodeStorage } from './node-storage.js';

export * from './index.js';
export { nodeStorage } from './node-storage.js';

setDefaultStorage(nodeStorage);

/** A file of the cache, or part of it, as a stream of Node's kind. `end` is the byte before which it ends; fs.createReadStream() includes it. */
export const createReadStream = (file: CachedFile, options: ChunkOptions = {}): Readable =>
  Readable.from(file.chunks(options), { objectMode: false });
