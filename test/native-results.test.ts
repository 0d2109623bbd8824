// SPDX-License-Identifier: MIT
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { documentsOf, recorded } from '../scripts/native-results.mjs';

describe('docs/native/results.md, its pictures, and the tables of webassembly.md', () => {
  const documents = documentsOf(recorded());
  const root = new URL('../', import.meta.url);

  it.each([...documents.keys()])('%s is what the recorded run makes of it', (path) => {
    expect(readFileSync(new URL(path, root), 'utf8')).toBe(documents.get(path));
  });

  it('shows every picture, and there are no others', () => {
    const shown = [...(documents.get('docs/native/results.md') ?? '').matchAll(/\(images\/([\w-]+\.svg)\)/g)];
    expect(shown.map(([, name]) => name).sort()).toEqual(readdirSync(new URL('docs/native/images/', root)).sort());
  });

  it('has no figure that could not be computed', () => {
    for (const text of documents.values()) expect(text).not.toMatch(/NaN|Infinity|undefined/);
  });

  it('is of a run that was not interrupted', () => {
    expect(recorded().complete).toBe(true);
  });
});
