// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { agreementTable, withTable } from '../scripts/agreement.mjs';

it("the README's agreement with the real kernel is what the runs give", async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  expect(withTable(readme, await agreementTable())).toBe(readme);
}, 120_000);
