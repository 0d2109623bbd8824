// SPDX-License-Identifier: MIT
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { instrumented } from '../scripts/deaths-build.mjs';
import { Notes, PIECE, piecesOf, versionsIn } from '../scripts/deaths-pieces.mjs';

const long = process.env.LOCKLESS_LONG !== undefined;

vi.setConfig({ testTimeout: 300_000 });

const deaths = (...args: string[]) =>
  spawnSync(process.execPath, [fileURLToPath(new URL('../scripts/deaths.mjs', import.meta.url)), ...args], {
    encoding: 'utf8',
    timeout: 300_000,
  });

test('threads of the file cache die at stores of all that they do; nothing is lost, torn, leaked or stuck', () => {
  const some = ['read a page', 'write to a cached page', 'write to a dirty page', 'fsync', 'reclaim clean pages'];
  const sample = long ? ['--stride', '29', '--real', '1'] : ['--stride', '23', '--sequence', ...some];
  const { status, stdout } = deaths(...sample);
  expect(stdout).toMatch(/^read a page: [1-9]\d* stores\n/);
  expect(stdout).toMatch(/\n[1-9]\d* deaths, at [1-9]\d* stores, \d+ s\nafter each everything is in order\n$/);
  expect(status).toBe(0);
});

test.runIf(long)('so they do where RCU readers say nothing', () => {
  const some = ['read a page', 'reclaim clean pages'];
  const { status, stdout } = deaths('--rcu', 'qsbr', '--stride', '17', '--real', '2', '--sequence', ...some);
  expect(stdout).toMatch(/\nafter each everything is in order\n$/);
  expect(status).toBe(0);
});

/** What would lose a write that was complete, or show it and then not. */
const windows = [
  {
    name: 'a page is dirty by its tag alone',
    arguments: ['--sequence', 'fsync', '--stride', '3'],
    change: ['sweep.js', 'if ((tags & (1 << PAGECACHE_TAG_DIRTY)) !== 0)', 'if (false)'],
  },
  {
    name: 'a write was cut off in a page that held others',
    arguments: ['--sequence', 'write to a dirty page'],
    change: ['sweep.js', 'if (has(page, PG_UPTODATE))', 'clear(page, PG_UPTODATE); if (false)'],
  },
  {
    name: 'a page has its flags after its bytes count as whole',
    arguments: ['--sequence', 'write to a cached page'],
    change: ['write.js', 'setPageUptodate(page);', 'endBytes(page); setPageUptodate(page);'],
  },
  {
    name: 'a size is half stored',
    arguments: ['--sequence', 'a size that crosses 4 GiB'],
    change: ['lock-repairs.js', 'record === undefined ? []', 'record !== undefined ? []'],
  },
];

test.runIf(long).each(windows)('it is noticed when $name, and that is not looked at', (window) => {
  const [file, from, to] = window.change;
  const { status, stdout } = deaths(
    ...window.arguments,
    '--problems',
    '1',
    '--change',
    `file-cache/dist/${file}`,
    from,
    to,
  );
  expect(stdout).toContain('\n1 problems\n');
  expect(status).toBe(1);
});

test('stores to shared memory are stops, and nothing else', () => {
  const point = (text: string) => instrumented(text).text.replaceAll('globalThis.locklessPoint', 'p');
  expect(point('words[a] = words[b] += 1;')).toBe('p(words[a] = p(words[b] += 1));');
  expect(point('Atomics.store(words, Atomics.add(words, 1, 2), 3);')).toBe(
    'p(Atomics.store(words, p(Atomics.add(words, 1, 2)), 3));',
  );
  expect(point('this.words[a]++; frame.set(bytes, 1); bytesOf(page).fill(0);')).toBe(
    'p(this.words[a]++); p(frame.set(bytes, 1)); p(bytesOf(page).fill(0));',
  );
  const others = 'found[a] = words[b]; Atomics.load(words, 1); map.set(1, 2); words.slice(1); let x = 1;';
  expect(point(others)).toBe(others);
});

test('a piece says which version it is; torn, moved or empty ones are told', () => {
  const bytes = piecesOf(3, 4, 7);
  expect(versionsIn(bytes, 3)).toEqual([7, 7, 7, 7]);
  expect(versionsIn(bytes, 4)).toEqual([-1, -1, -1, -1]);
  bytes.fill(0, PIECE, 2 * PIECE);
  bytes.set(piecesOf(5, 1, 8).subarray(0, PIECE / 2), 2 * PIECE);
  expect(versionsIn(bytes.subarray(0, 4 * PIECE - 1), 3)).toEqual([7, 0, -1]);
  const notes = Notes.create(8);
  notes.settle(3, 4);
  expect(versionsIn(notes.begin(2, 2), 2)).toEqual([5, 5]);
  expect([notes.begun(3), notes.ended(3)]).toEqual([5, 4]);
  notes.end(2, 2);
  expect([notes.ended(2), notes.ended(3)]).toEqual([5, 5]);
});
