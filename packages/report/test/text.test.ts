// SPDX-License-Identifier: MIT
import { stripVTControlCharacters } from 'node:util';
import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';
import { type RunResult, renderSummary } from '../src/index.js';
import { sampleRun } from './sample.js';
import { violatedRun } from './unusual-runs.js';

const golden = (name: string): string => new URL(`golden/${name}`, import.meta.url).pathname;
const lines = (text: string): string[] => text.trimEnd().split('\n');

describe('the summary', () => {
  it.each([80, 120])('of a run that holds, %i columns wide', async (width) => {
    await expect(renderSummary(sampleRun(), { width })).toMatchFileSnapshot(golden(`holds-${width}.txt`));
  });

  it.each([80, 120])('of a violated run, %i columns wide', async (width) => {
    await expect(renderSummary(violatedRun(), { width })).toMatchFileSnapshot(golden(`violated-${width}.txt`));
  });

  it('in colour', async () => {
    const text = renderSummary(violatedRun(), { width: 100, color: true });
    await expect(text.replaceAll('\u001b', '\\e')).toMatchFileSnapshot(golden('violated-colour.txt'));
  });

  it.each([72, 80, 100, 120, 200])('is never wider than %i columns, and colour does not move anything', (width) => {
    for (const run of [sampleRun(), violatedRun()]) {
      const plain = renderSummary(run, { width });
      expect(lines(plain).filter((line) => stringWidth(line) > width)).toEqual([]);
      expect(stripVTControlCharacters(renderSummary(run, { width, color: true }))).toBe(plain);
    }
  });

  it('aligns the columns of a table, also after wide characters', () => {
    const rows = lines(renderSummary(sampleRun(), { width: 100 }));
    const first = rows.findIndex((line) => line.startsWith('Files'));
    const table = rows.slice(first + 1, rows.indexOf('', first) - 1);
    expect(table).toHaveLength(17);
    expect(table.some((line) => line.includes('日本語の資料'))).toBe(true);
    expect(new Set(table.map((line) => stringWidth(line))).size).toBe(1);
  });

  it('keeps the end of a path that is too long', () => {
    const text = renderSummary(sampleRun(), { width: 80 });
    expect(text).toMatch(/^ {2}….*generated\/tables-of-characters\.h +\d/m);
  });
});

describe('a violation', () => {
  it.each([80, 120])('fills the first screen of a terminal of %i columns, with the guilty stack first', (width) => {
    const screen = lines(renderSummary(violatedRun(), { width })).slice(0, 24);
    expect(screen[0]).toMatch(/^violated: use-after-free/);
    expect(screen.findIndex((line) => line.includes('putPage (swap.ts:31)  <- here'))).toBeLessThan(10);
    for (const frame of ['spinLockIrq', 'removeMapping (vmscan.ts:118)', '(spins on'])
      expect(screen.join('\n')).toContain(frame);
    expect(screen.join('\n').match(/<- here/g)).toHaveLength(1);
  });

  it('is repeated by a command that a shell reads as it was', () => {
    const text = renderSummary(violatedRun(), { width: 80 });
    const command = /^repeat: ((?:.*\\\n)*.*)$/m.exec(text)?.[1];
    expect(command?.replaceAll(/\s*\\\n\s*/g, ' ')).toBe(violatedRun().replay);
  });

  it('shows CPUs without frames in one line, cuts deep stacks, and keeps the line breaks of its message', () => {
    const run = violatedRun();
    const frames = Array.from({ length: 40 }, (_, i) => `frame${i} (file.ts:${i})`);
    const violation = {
      ...run.violation!,
      message: 'first line\nsecond line',
      stacks: run.violation!.stacks.map((s) => (s.cpu === 1 ? { ...s, frames } : s)),
    };
    const text = renderSummary({ ...run, violation });
    expect(text).toContain('  CPU 2, 3, 6, 7  idle\n');
    expect(text).toContain('frame15 (file.ts:15)');
    expect(text).not.toContain('frame16 ');
    expect(text).toContain('... 24 more');
    expect(text).toContain('  first line\n  second line\n');
  });
});

describe('an unusual run', () => {
  it('prints control characters and turned text harmlessly, wherever they come from', () => {
    const run = violatedRun();
    const evil = 'a\u001b]0;owned\u0007\u001b[2Jb\r\nc\u202ed';
    const text = renderSummary({
      ...run,
      recording: { ...run.recording, command: [evil], kernel: evil },
      processes: run.processes.map((p) => ({ ...p, comm: evil })),
      files: run.files.map((f) => ({ ...f, path: evil })),
      violation: { ...run.violation!, task: evil, message: evil, stacks: [{ cpu: 1, task: evil, frames: [evil] }] },
      replay: evil,
    });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    expect(text).toContain(String.raw`a\x1b]0;owned\x07\x1b[2Jb\x0d\x0ac\u202ed`);
  });

  it('quotes the command as a shell would need it', () => {
    const run = sampleRun();
    const command = ['sh', '-c', "echo 'x y' > out", ''];
    expect(renderSummary({ ...run, recording: { ...run.recording, command } })).toContain(
      `sh -c 'echo '\\''x y'\\'' > out' ''`,
    );
  });

  it('without processes, files, measures or operations is still a summary', () => {
    const run: RunResult = {
      ...sampleRun(),
      verdict: 'interrupted',
      processes: [],
      files: [],
      invariants: [],
      comparison: { measures: [], differences: [] },
      operations: 0,
      operationsTotal: 0,
      seconds: 0,
      accesses: 0,
      memory: { ...sampleRun().memory, zone: {} },
    };
    const text = renderSummary(run);
    expect(text).toMatch(/^interrupted \(nothing wrong so far\)/);
    expect(text).toContain('nothing was compared');
    expect(text).not.toMatch(/NaN|undefined|Infinity|null/);
  });

  it('never rounds a difference away', () => {
    const run = sampleRun();
    const measure = { name: 'faults.total', title: 'page faults', simulated: 1, real: 1, items: 1 };
    const measures = [0.99999, 1, 0.00001, 0].map((agreement) => ({ ...measure, agreement }));
    const text = renderSummary({ ...run, comparison: { measures, differences: [] } });
    expect([...text.matchAll(/page faults .* {2}(\S.* %) +1$/gm)].map((match) => match[1])).toEqual([
      '99.9 %',
      '100.0 %',
      '< 0.1 %',
      '0.0 %',
    ]);
    expect(text).toContain('no item differs');
  });

  it('names unexplained differences and counts the others', () => {
    const text = renderSummary(sampleRun());
    expect(text).toContain('5 items differ, by cause (docs/differences.md): fault-around 3, unexplained 1');
    expect(text).toMatch(/faults\.anonymous: cc1 \(pid 28000, space 2\) +5,210 +5,213/);
  });

  it('shows at most 16 processes and says how many there are', () => {
    const run = sampleRun();
    const processes = Array.from({ length: 40 }, (_, i) => ({ ...run.processes[0], pid: i, space: i }));
    expect(renderSummary({ ...run, processes })).toContain('and 24 more address spaces with fewer faults');
  });
});
