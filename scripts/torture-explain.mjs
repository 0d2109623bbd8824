// SPDX-License-Identifier: MIT
// @ts-check
// What to look at when the torture run has found something wrong with a block: who died last, what the notes say, and where which version is.
import { closeSync, openSync, readSync } from 'node:fs';
import { peek } from '@lockless/cpu/native';
import * as types from '@lockless/mm-types/native';
import { cachedPages } from '@lockless/pagecache/native';
import { BLOCK, versionOf } from './torture-blocks.mjs';

/** A death: of which slot, and when, in milliseconds. @typedef {{ slot: number, life: number, at: number }} Died */

const { Page, PAGECACHE_TAG_DIRTY, PAGECACHE_TAG_WRITEBACK } = types;
const FLAGS = [
  'LOCKED',
  'UPTODATE',
  'DIRTY',
  'WRITEBACK',
  'LRU',
  'ACTIVE',
  'REFERENCED',
  'ERROR',
  'RECLAIM',
  'READAHEAD',
];

/** @param {number} bits @param {readonly (readonly [name: string, bit: number])[]} names */
const named = (bits, names) =>
  names
    .filter(([, bit]) => (bits & (1 << bit)) !== 0)
    .map(([name]) => name.toLowerCase())
    .join(' ') || 'none';

/** @param {Uint8Array} bytes @param {number} file @param {number} block */
function versionIn(bytes, file, block) {
  try {
    return `version ${versionOf(new Int32Array(Uint8Array.from(bytes).buffer), file, block, 'this')}`;
  } catch (error) {
    return /** @type {Error} */ (error).message;
  }
}

/** @param {string} path @param {number} file @param {number} block */
function onDisk(path, file, block) {
  const bytes = new Uint8Array(BLOCK);
  const descriptor = openSync(path, 'r');
  const length = readSync(descriptor, bytes, 0, BLOCK, block * BLOCK);
  closeSync(descriptor);
  return length < BLOCK ? `${length} bytes` : versionIn(bytes, file, block);
}

/** The page as it is, nothing of it touched. @param {import('@lockless/file-cache').CachedFile} opened @param {number} file @param {number} block */
function inCache(opened, file, block) {
  const found = cachedPages(opened.mapping).find(({ index }) => index === block);
  if (found === undefined) return 'not in the cache';
  const { page, tags } = found;
  const names = FLAGS.map((name) => /** @type {const} */ ([name, /** @type {any} */ (types)[`PG_${name}`]]));
  const flags = named(peek(Page.flags(page)), names);
  const tagged = named(tags, [
    ['dirty', PAGECACHE_TAG_DIRTY],
    ['writeback', PAGECACHE_TAG_WRITEBACK],
  ]);
  const view = opened.pageIfCached(block);
  const version = view === undefined ? 'not to be read' : versionIn(view.bytes, file, block);
  view?.release();
  return `in the cache: ${version}; flags ${flags}; tags ${tagged}; count ${peek(Page._count(page))}; number of the bytes ${peek(Page.contentVersion(page))}`;
}

/**
 * Lines about each block that a problem names.
 * @param {{ cache: import('@lockless/file-cache').FileCache, paths: readonly string[], journal: import('./torture-blocks.mjs').Journal, deaths: readonly Died[], now: number }} run
 * @param {readonly string[]} problems @returns {Promise<string[]>}
 */
export async function explain({ cache, paths, journal, deaths, now }, problems) {
  const before = (/** @type {Died} */ { slot, life, at }) =>
    `life ${life} in slot ${slot} ${Math.round(now - at)} ms ago`;
  const lines = [`died last: ${deaths.slice(-5).reverse().map(before).join(', ') || 'nobody'}`];
  const named = problems.flatMap((problem) => [...problem.matchAll(/file (\d+), block (\d+)/g)]);
  for (const place of new Set(named.map(([, file, block]) => `${file} ${block}`))) {
    const [file, block] = place.split(' ').map(Number);
    const opened = await cache.open(paths[file], 'r');
    lines.push(
      `file ${file}, block ${block}: begun ${journal.attempted(file, block)}, ended ${journal.done(file, block)}, synced ${journal.synced(file, block)}; ` +
        `${inCache(opened, file, block)}; on disk: ${onDisk(paths[file], file, block)}`,
    );
    await opened.close();
  }
  return lines;
}
