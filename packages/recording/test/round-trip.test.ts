// SPDX-License-Identifier: MIT
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Recording } from '../src/index.js';
import { formatRecording, RecordingError, readRecording, recordingLines, writeRecording } from '../src/index.js';
import { LAYOUT } from '../src/layout.js';
import { anyRecording, family, sample } from './sample.js';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'lockless-recording-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

const parse = (text: string | Uint8Array): Recording => readRecording(Buffer.from(text as string), 'test.lkr');

test('what is written is read back equal, and written again equal', () => {
  fc.assert(
    fc.property(anyRecording, (recording) => {
      const text = formatRecording(recording);
      expect(parse(text)).toEqual(recording);
      expect(formatRecording(parse(text))).toBe(text);
    }),
  );
});

test('the arbitrary recordings have every kind of record but fork, which the family has', () => {
  const seen = new Set(family().records.map((record) => record.kind as string));
  for (const recording of fc.sample(anyRecording, 200)) for (const { kind } of recording.records) seen.add(kind);
  expect([...seen].sort()).toEqual(Object.keys(LAYOUT).sort());
});

test('forks, threads and execs are read back equal', () => {
  expect(parse(formatRecording(family()))).toEqual(family());
});

/** Whatever was done to the text: an error of ours with a line, or the same recording. */
function survives(damaged: Uint8Array | string, original: Recording): void {
  try {
    expect(parse(damaged)).toEqual(original);
  } catch (error) {
    if (!(error instanceof RecordingError)) throw error;
    expect(error.message).toMatch(/^test\.lkr(:\d+)?: expected .+, got .+/s);
    expect(error.message).not.toMatch(/\n/);
  }
}

const damage = fc.record({ at: fc.nat(), to: fc.nat({ max: 255 }) });

test('no damaged byte is taken for another recording, compressed or not', () => {
  const property = fc.property(
    anyRecording,
    fc.array(damage, { minLength: 1, maxLength: 4 }),
    fc.boolean(),
    (recording, places, zip) => {
      const text = Buffer.from(formatRecording(recording));
      const data = zip ? gzipSync(text) : text;
      for (const { at, to } of places) data[at % data.length] = to;
      survives(data, recording);
    },
  );
  fc.assert(property, { numRuns: Number(process.env.LOCKLESS_RUNS ?? 300) });
});

test('no cut-off end is taken for a recording', () => {
  fc.assert(
    fc.property(anyRecording, fc.nat(), fc.boolean(), (recording, cut, zip) => {
      const text = Buffer.from(formatRecording(recording));
      const data = zip ? gzipSync(text) : text;
      const short = data.subarray(0, cut % data.length);
      expect(() => parse(short)).toThrow(RecordingError);
    }),
  );
});

test('no lost, doubled or exchanged line is taken for a recording', () => {
  const edits = fc.constantFrom('lose', 'double', 'exchange');
  fc.assert(
    fc.property(anyRecording, edits, fc.nat(), fc.nat(), (recording, edit, at, other) => {
      const lines = formatRecording(recording).split('\n').slice(0, -1);
      const [i, j] = [at % lines.length, other % lines.length];
      if (edit === 'lose') lines.splice(i, 1);
      else if (edit === 'double') lines.splice(i, 0, lines[i]);
      else [lines[i], lines[j]] = [lines[j], lines[i]];
      survives(`${lines.join('\n')}\n`, recording);
    }),
  );
});

test('any other bytes give an error of ours', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, zip) => {
      expect(() => parse(zip ? gzipSync(bytes) : bytes)).toThrow(RecordingError);
    }),
  );
});

test('a written file appears complete, alone, and streams as lines', async () => {
  const path = join(directory, 'one.lkr.gz');
  writeRecording(path, family());
  expect(readRecording(path)).toEqual(family());
  expect(readdirSync(directory)).toEqual(['one.lkr.gz']);
  const lines: string[] = [];
  for await (const { line, text } of recordingLines(path)) {
    expect(line).toBe(lines.length + 1);
    lines.push(text);
  }
  expect(`${lines.join('\n')}\n`).toBe(formatRecording(family()));
});

test('a file that cannot be written leaves nothing behind', () => {
  expect(() => writeRecording(join(directory, 'missing', 'x.lkr.gz'), sample())).toThrow(/ENOENT/);
  expect(readdirSync(directory)).toEqual(['one.lkr.gz']);
});

test('the stream of a damaged or missing file ends in an error of ours', async () => {
  const path = join(directory, 'cut.lkr.gz');
  writeFileSync(path, gzipSync(formatRecording(family())).subarray(0, 100));
  const drain = async (file: string): Promise<void> => {
    for await (const _ of recordingLines(file));
  };
  await expect(drain(path)).rejects.toThrow(/cut\.lkr\.gz: expected a complete gzip stream, got one that is cut short/);
  await expect(drain(join(directory, 'none'))).rejects.toThrow(RecordingError);
});
