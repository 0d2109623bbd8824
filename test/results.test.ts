// SPDX-License-Identifier: MIT
import { readdirSync, readFileSync } from 'node:fs';
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
});
