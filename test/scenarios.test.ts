// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { catalogue, withCatalogue } from '../scripts/scenarios.mjs';

it('docs/scenarios.md is what the checker finds, and everything is as claimed', async () => {
  const page = readFileSync(new URL('../docs/scenarios.md', import.meta.url), 'utf8');
  expect(withCatalogue(page, await catalogue())).toBe(page);
  expect(page).not.toContain('not as claimed');
}, 300_000);
