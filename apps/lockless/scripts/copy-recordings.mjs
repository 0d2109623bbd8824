// SPDX-License-Identifier: MIT
// @ts-check
import { cpSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The recordings of the repository, into the package: an installed `lockless run` has them too. */
const [from, to] = ['../../../recordings/', '../dist/recordings/'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);
rmSync(to, { recursive: true, force: true });
cpSync(from, to, { recursive: true, filter: (path) => path === from || path.endsWith('.lkr.gz') });
