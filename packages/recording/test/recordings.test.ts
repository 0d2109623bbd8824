// SPDX-License-Identifier: MIT
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { RssPages } from '../src/index.js';
import { formatRecording, readRecording, recordingTotals } from '../src/index.js';
import { FILE_LAYOUT, LAYOUT, SPANNING, VMA_LAYOUT } from '../src/layout.js';
import { Follower } from './follow.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const names = readdirSync(`${root}recordings`).filter((name) => name.endsWith('.lkr.gz'));
const NONE: RssPages = { file: 0, anon: 0, swap: 0, shmem: 0 };

test('there are at least four', () => {
  expect(names.length).toBeGreaterThanOrEqual(4);
});

describe.each(names)('%s', (name) => {
  const path = `${root}recordings/${name}`;
  const recording = readRecording(path);
  const { header, records } = recording;

  test('is small, written as we write, and without warnings', () => {
    expect(statSync(path).size).toBeLessThan(1 << 20);
    expect(formatRecording(recording)).toBe(gunzipSync(readFileSync(path)).toString());
    expect(header.warnings).toEqual([]);
  });

  test('every fault lies in a vma that allows it, and the cache holds what is read', () => {
    const { touches, pagesRead, ...wrong } = new Follower(recording).found;
    expect(touches).toBeGreaterThan(100);
    expect(pagesRead).toBeGreaterThan(10);
    expect(wrong).toEqual({ strayTouches: [], addedTwice: [], removedTwice: [], unreadable: [] });
  });

  test('the anonymous pages of every address space at its end are those that its faults made', () => {
    const { spaces } = header;
    expect([...new Follower(recording).anonymous()]).toEqual(spaces.map((space) => [space.id, space.rssAtEnd?.anon]));
  });

  test('every thread ends, and every address space ends empty', () => {
    const exited = records.filter((record) => record.kind === 'exit').map((record) => record.tid);
    expect(exited.sort()).toEqual(header.threads.map((thread) => thread.tid).sort());
    const rss = header.spaces.map(() => ({ ...NONE }));
    for (const record of records) if (record.kind === 'rss') rss[record.space][record.member] = record.pages;
    expect(rss).toEqual(header.spaces.map(() => NONE));
    for (const space of header.spaces)
      expect((space.rssAtEnd?.anon ?? 0) + (space.rssAtEnd?.file ?? 0)).toBeGreaterThan(10);
  });

  test('names no home directory and no environment', () => {
    expect(formatRecording(recording)).not.toMatch(/\/(?:root|home|work)\/|PATH=|HOME=/);
  });

  test('is described in the README with its figures', () => {
    const { calls, userFaults, kernelFaults, pagesAdded } = recordingTotals(recording);
    const row = readFileSync(`${root}recordings/README.md`, 'utf8')
      .split('\n')
      .find((line) => line.includes(`\`${name}\``));
    expect(row).toContain(`| ${records.length} | ${calls} | ${userFaults + kernelFaults} | ${pagesAdded} |`);
  });
});

test('docs/recording-format.md lists the fields of every record, as the code has them', () => {
  const doc = readFileSync(`${root}docs/recording-format.md`, 'utf8');
  const rows = Object.entries(LAYOUT).map(([kind, fields]) => {
    const time = SPANNING.has(kind as keyof typeof LAYOUT) ? 'START DURATION' : 'START';
    return `| \`${kind}\` | ${time} | ${fields.map(([name]) => name).join(' ')} |`;
  });
  expect(doc).toContain(rows.join('\n'));
  expect(doc).toContain(`<!-- vma: --> \`${VMA_LAYOUT.map(([name]) => name).join(' ')}\``);
  expect(doc).toContain(`<!-- file: --> \`${FILE_LAYOUT.map(([name]) => name).join(' ')}\``);
});
