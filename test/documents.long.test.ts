// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { documents, withOutputs } from '../scripts/documents.mjs';
import { repositoryRoot } from './planted-repository.js';

it.each(documents())(
  '%s shows what the program prints',
  (path) => {
    const text = readFileSync(join(repositoryRoot, path), 'utf8');
    expect(withOutputs(text)).toBe(text);
  },
  120_000,
);
