// SPDX-License-Identifier: MIT
// @ts-check
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findWorkspaces, repositoryRoot } from './workspaces.mjs';

/** Writes the root tsconfig.json: a solution of every workspace. `npm run deps` fails when it is out of date. */
const references = findWorkspaces(repositoryRoot).map(({ path }) => `    { "path": "${path}" }`);
writeFileSync(
  join(repositoryRoot, 'tsconfig.json'),
  `{\n  "files": [],\n  "references": [\n${references.join(',\n')}\n  ]\n}\n`,
);
