// SPDX-License-Identifier: GPL-2.0-only
import { closeSync, openSync, readSync } from 'node:fs';
import { FileCache, type SharedFileCache } from '@lockless/file-cache';
import { type KeyOptions, Keys } from '../harness/keys.js';
import type { Subject } from '../harness/subject.js';
import { optional } from './installed.js';

export const PAGE_BYTES = 4096;

/** How a thread reads pages of 4 KiB of a file of which each begins and ends with a word that says which page it is. */
export type FileReader =
  /** `fs.readSync`, every time. */
  | { readonly kind: 'fs' }
  /** The shared cache: copies, as `fs.readSync` does. */
  | { readonly kind: 'file-cache'; readonly shared: SharedFileCache }
  /** The shared cache: the page in place. */
  | { readonly kind: 'file-cache, in place'; readonly shared: SharedFileCache }
  /** `lru-cache` with so many pages for this thread, `fs.readSync` when it has not got one. */
  | { readonly kind: 'lru-cache'; readonly pages: number };

export interface FileReaderOptions {
  readonly path: string;
  readonly keys: KeyOptions;
  readonly reader: FileReader;
}

/** Reads one page; the sum of its first and its last word is twice what the page stands for. */
interface Source {
  read(index: number): number;
  counts(): Record<string, number>;
  close(): void | Promise<void>;
}

const edges = (page: Uint8Array): number => {
  const { buffer, byteOffset } = page;
  const view = new DataView(buffer, byteOffset, PAGE_BYTES);
  return (view.getInt32(0, true) + view.getInt32(PAGE_BYTES - 4, true)) | 0;
};

function plain(path: string): Source {
  const file = openSync(path, 'r');
  const buffer = new Uint8Array(PAGE_BYTES);
  return {
    read(index) {
      readSync(file, buffer, 0, PAGE_BYTES, index * PAGE_BYTES);
      return edges(buffer);
    },
    counts: () => ({}),
    close: () => closeSync(file),
  };
}

function shared(path: string, handle: SharedFileCache, inPlace: boolean): Source {
  const cache = FileCache.attach(handle);
  const file = cache.openSync(path);
  const buffer = new Uint8Array(PAGE_BYTES);
  return {
    read: inPlace
      ? (index) => {
          const view = file.pageIfCached(index) ?? file.pageSync(index);
          if (view === undefined) throw new Error(`page ${index} is beyond the end`);
          const found = edges(view.bytes);
          view.release();
          return found;
        }
      : (index) => {
          file.readSync(buffer, 0, PAGE_BYTES, index * PAGE_BYTES);
          return edges(buffer);
        },
    // Of all threads together.
    counts: () => ({ misses: cache.statistics().filemap_miss }),
    close: () => cache.close(),
  };
}

async function perThread(path: string, pages: number): Promise<Source> {
  const { LRUCache } = await optional('lru-cache', () => import('lru-cache'));
  const file = openSync(path, 'r');
  const cache = new LRUCache<number, Uint8Array>({ max: pages });
  let misses = 0;
  return {
    read(index) {
      const found = cache.get(index);
      if (found !== undefined) return edges(found);
      misses++;
      const page = new Uint8Array(PAGE_BYTES);
      readSync(file, page, 0, PAGE_BYTES, index * PAGE_BYTES);
      cache.set(index, page);
      return edges(page);
    },
    counts: () => ({ misses }),
    close: () => closeSync(file),
  };
}

async function open(path: string, reader: FileReader): Promise<Source> {
  switch (reader.kind) {
    case 'fs':
      return plain(path);
    case 'lru-cache':
      return await perThread(path, reader.pages);
    case 'file-cache':
      return shared(path, reader.shared, false);
    case 'file-cache, in place':
      return shared(path, reader.shared, true);
  }
}

export async function start({ path, reader, keys: options }: FileReaderOptions): Promise<Subject> {
  const { read, counts, close } = await open(path, reader);
  const schedule = new Keys(options);
  const { keys, mask } = schedule;
  let reads = 0;
  return {
    counts: () => ({ ...counts(), reads }),
    close,
    expected: (first, n) => (2 * schedule.sum(first, n)) | 0,
    run(first, n) {
      let sum = 0;
      for (let i = first; i < first + n; i++) sum = (sum + read(keys[i & mask])) | 0;
      reads += n;
      return sum;
    },
  };
}
