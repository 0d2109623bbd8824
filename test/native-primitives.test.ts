// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { engineDocument, withTable } from '../scripts/native-primitives.mjs';

it('docs/native/engine.md shows the native primitives as they are', () => {
  const text = readFileSync(engineDocument, 'utf8');
  expect(text).toMatch(/^\| `READ_ONCE`.*plain load/m);
  expect(withTable(text)).toBe(text);
});
