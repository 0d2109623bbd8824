// SPDX-License-Identifier: MIT
import { expect, test } from 'vitest';
import { checkSpdx } from '../scripts/check-spdx.mjs';
import { manifest, plantedRepository, repositoryRoot } from './planted-repository.js';

test('the repository names its licenses', () => {
  expect(checkSpdx(repositoryRoot)).toEqual([]);
});

test('a sound repository passes', () => {
  expect(checkSpdx(plantedRepository())).toEqual([]);
});

test.each([
  [
    'a source without an SPDX line',
    { 'packages/cpu/src/index.ts': 'export {};\n' },
    'packages/cpu/src/index.ts: no SPDX line, expected "SPDX-License-Identifier: MIT"',
  ],
  [
    "a test under another license than its package's",
    { 'packages/rcu/test/a.test.ts': '// SPDX-License-Identifier: MIT\n' },
    'packages/rcu/test/a.test.ts: SPDX line says MIT, its package is GPL-2.0-only',
  ],
  [
    'an SPDX line too far down',
    { 'packages/cpu/src/index.ts': '//\n//\n//\n// SPDX-License-Identifier: MIT\n' },
    'packages/cpu/src/index.ts: no SPDX line, expected "SPDX-License-Identifier: MIT"',
  ],
  [
    'a shell script without an ending, in the tools',
    { 'scripts/tool': '#!/bin/sh\n' },
    'scripts/tool: no SPDX line, expected "SPDX-License-Identifier: MIT"',
  ],
  [
    'a kernel package under MIT',
    {
      'packages/rcu/package.json': manifest('rcu', 'MIT'),
      'packages/rcu/src/index.ts': '// SPDX-License-Identifier: MIT\n',
    },
    'packages/rcu/package.json: license is MIT, scripts/levels.mjs says GPL-2.0-only',
  ],
  [
    'a license without its text',
    { 'packages/cpu/LICENSE': null },
    'packages/cpu/LICENSE: missing, copy LICENSES/MIT.txt',
  ],
  [
    'another text than the license',
    { 'packages/cpu/LICENSE': 'Do what you like.\n' },
    'packages/cpu/LICENSE: differs from LICENSES/MIT.txt',
  ],
])('%s is found', (_, offence, finding) => {
  expect(checkSpdx(plantedRepository(offence))).toContain(finding);
});
