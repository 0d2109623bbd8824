// SPDX-License-Identifier: GPL-2.0-only
import { fileURLToPath } from 'node:url';
import { type Recording, readRecording } from '@lockless/recording';
import type { Measure, RunResult } from '@lockless/report';
import { expect } from 'vitest';

/** `LOCKLESS_LONG`: every run of the tables of these tests, instead of a sample of them (docs/testing.md). */
export const LONG: boolean = process.env.LOCKLESS_LONG !== undefined;

/** The recordings that come with the project. */
export const BUNDLED = ['git-status', 'gcc-hello', 'python-start', 'sqlite-threads'] as const;
export type Bundled = (typeof BUNDLED)[number];

const loaded = new Map<string, Recording>();

/** One of them, read once per test file. */
export function bundled(name: Bundled): Recording {
  let recording = loaded.get(name);
  if (recording === undefined) {
    recording = readRecording(fileURLToPath(new URL(`../../../recordings/${name}.lkr.gz`, import.meta.url)));
    loaded.set(name, recording);
  }
  return recording;
}

/** The kernel kept every promise; the message says what broke, and the command shows it again. */
export function expectHolds(result: RunResult): void {
  const broken = result.violation === null ? null : `${result.violation.kind}: ${result.violation.message}`;
  expect({ broken, replay: result.replay }).toEqual({ broken: null, replay: result.replay });
  expect(result.verdict).toBe('holds');
  expect(result.memory.contents.wrong).toBe(0);
  expect(result.invariants.filter(({ violations }) => violations > 0)).toEqual([]);
}

export function measureOf(result: RunResult, name: string): Measure {
  const measure = result.comparison.measures.find((candidate) => candidate.name === name);
  if (measure === undefined) throw new Error(`no measure ${name}`);
  return measure;
}
