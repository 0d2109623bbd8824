// SPDX-License-Identifier: GPL-2.0-only
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileCache } from '@lockless/file-cache';
import { contentOf, type KeyOptions } from '../harness/keys.js';
import { add, measurePair, type NamedSource, type Pair, type Session } from '../measure.js';
import { type FileReader, PAGE_BYTES } from '../subjects/file-reader.js';

const MIB = 2 ** 20;
/** The file is so many times as large as the budget. */
const TIMES_BUDGET = 4;
const THREADS = 2;

/** Each page begins and ends with a word that says which page it is. */
function makeFile(path: string, pages: number): void {
  const words = new Int32Array((pages * PAGE_BYTES) / 4);
  for (let index = 0; index < pages; index++) {
    words[(index * PAGE_BYTES) / 4] = contentOf(index);
    words[((index + 1) * PAGE_BYTES) / 4 - 1] = contentOf(index);
  }
  writeFileSync(path, words);
}

type Counts = Readonly<Record<string, number>>;

/** One way to read a file from two threads. */
interface Way {
  readonly subject: string;
  readonly reader: FileReader;
  /** Bytes that all threads together keep, beside the operating system's cache. */
  readonly memory: number;
  /** Share of reads that did not ask the operating system, from what the threads counted. */
  readonly hits: (counts: readonly Counts[]) => number;
}

const sumOf = (counts: readonly Counts[], name: string): number =>
  counts.reduce((total, each) => total + (each[name] ?? 0), 0);

/** Each thread counts its own misses. */
const ownHits = (counts: readonly Counts[]): number => 1 - sumOf(counts, 'misses') / sumOf(counts, 'reads');

/** All threads have the same counter; the last one that started has not seen the others warm up. */
const sharedHits = (counts: readonly Counts[]): number =>
  1 - sumOf(counts.slice(-1), 'misses') / sumOf(counts, 'reads');

/** Two threads read pages of 4 KiB of a file that is four times as large as the budget, by Zipf's law; the operating system has all of it in memory. */
export async function files(session: Session): Promise<void> {
  const { pages } = session;
  const budget = (pages / TIMES_BUDGET) * PAGE_BYTES;
  const folder = mkdtempSync(join(tmpdir(), 'lockless-bench-files-'));
  const path = join(folder, 'file');
  try {
    makeFile(path, pages);
    const perThread = (share: number): Way => ({
      subject: `lru-cache, ${share === 1 ? 'the budget' : 'half the budget'} for each thread`,
      reader: { kind: 'lru-cache', pages: (budget / PAGE_BYTES) * share },
      memory: THREADS * budget * share,
      hits: ownHits,
    });
    await measureWay(session, path, {
      subject: 'fs.readSync',
      reader: { kind: 'fs' },
      memory: THREADS * PAGE_BYTES,
      hits: () => 0,
    });
    for (const kind of ['file-cache', 'file-cache, in place'] as const) {
      const cache = FileCache.create({ budget });
      try {
        const reader = { kind, shared: cache.share() };
        const subject = kind === 'file-cache' ? 'FileCache, readSync' : 'FileCache, pages in place';
        await measureWay(session, path, { subject, reader, memory: budget, hits: sharedHits });
      } finally {
        await cache.close();
      }
    }
    await measureWay(session, path, perThread(1));
    await measureWay(session, path, perThread(1 / THREADS));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function measureWay(session: Session, path: string, { subject, reader, memory, hits }: Way): Promise<void> {
  const source = (seed: number): NamedSource => {
    const keys: KeyOptions = { first: 0, pages: session.pages, pattern: 'zipf', seed, length: 1 << 17 };
    return { name: `${subject}, thread ${seed}`, module: 'file-reader', options: { path, reader, keys } };
  };
  // Until the cache is as full as it gets, and holds what it should.
  const effort = { ...session.effort, warmUpNs: 4 * session.effort.warmUpNs };
  const pair = await measurePair({ ...session, effort }, 'files', [source(1), source(2)]);
  if (pair === null) return;
  addWay(session, subject, pair, memory, hits(pair.counts));
}

function addWay(session: Session, subject: string, pair: Pair, memory: number, hitRatio: number): void {
  const figure = { experiment: 'files', subject };
  add(
    session,
    { ...figure, measure: 'µs alone' },
    [...pair.alone[0], ...pair.alone[1]].map((ns) => ns / 1000),
  );
  add(
    session,
    { ...figure, measure: 'reads/ms, two threads' },
    pair.together[0].map((ns, round) => 1e6 / ns + 1e6 / pair.together[1][round]),
  );
  add(session, { ...figure, measure: 'share of hits' }, [hitRatio]);
  add(session, { ...figure, measure: 'MiB in all' }, [memory / MIB]);
  add(session, { ...figure, measure: 'overlap' }, pair.overlap);
}
