// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';
import * as radixTree from '../src/index.js';
import * as races from './races.js';

/** Every schedule with one interruption of the reader, under sequential consistency. That each race is in them is shown by mutants.long.test.ts. */
describe('a lockless reader beside a writer', () => {
  it.each(Object.entries(races))('%s', (_name, race) => {
    expect(race(radixTree)).toBeGreaterThan(40);
  });
});
