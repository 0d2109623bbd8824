// SPDX-License-Identifier: MIT
import { readdirSync, readFileSync } from 'node:fs';
import { type Experiment, pagecacheExperiments, rmapExperiments } from '@lockless/experiments';
import { describe, expect, it } from 'vitest';
import { documentsOf, recorded } from '../scripts/results.mjs';

describe('docs/results.md and its pictures', () => {
  const documents = documentsOf(recorded());
  const root = new URL('../', import.meta.url);

  it.each([...documents.keys()])('%s is what the recorded runs make of it', (path) => {
    expect(readFileSync(new URL(path, root), 'utf8')).toBe(documents.get(path));
  });

  it('shows every picture, and there are no others', () => {
    const shown = [...(documents.get('docs/results.md') ?? '').matchAll(/\(images\/([\w-]+\.svg)\)/g)].map(
      ([, name]) => name,
    );
    expect(shown.sort()).toEqual(readdirSync(new URL('docs/images/', root)).sort());
  });

  it('has no figure that could not be computed', () => {
    for (const text of documents.values()) expect(text).not.toMatch(/NaN|Infinity|undefined/);
  });

  const samples: [readonly Experiment[], string, string, number, string][] = [
    [pagecacheExperiments, 'lookups', 'tree-lock', 4, 'lookups/µs'],
    [pagecacheExperiments, 'gang', 'freeze-refs', 16, 'pages/µs'],
    [rmapExperiments, 'sharing', 'pte-chain', 16, 'page_remove_rmap: ns'],
    [rmapExperiments, 'reclaim-many-areas', 'objrmap', 16, 'try_to_unmap: ns/page'],
  ];
  it.each(samples)('is of runs that still give much the same: %#', (experiments, name, design, at, unit) => {
    const all = Object.values(recorded()).flatMap(({ figures }) => figures);
    const was = all.find(
      (each) => each.experiment === name && each.design === design && each.at === at && each.unit === unit,
    );
    const now = experiments.find((each) => each.name === name)?.measure(design, at, { seed: 1, caches: 'altix' })[unit];
    // The kernel's code changes; when it costs a tenth more or less, the runs must be made again.
    expect(now).toBeGreaterThan(0.9 * was!.lowest);
    expect(now).toBeLessThan(1.1 * was!.highest);
  });
});
