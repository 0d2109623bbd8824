// SPDX-License-Identifier: GPL-2.0-only
// @ts-check
// The subject `native` once more, with all that it imports in one module, as a program is that went through a bundler: dist/subjects/bundled.js.
import { join } from 'node:path';
import { rolldown } from 'rolldown';

const subjects = join(import.meta.dirname, '../dist/subjects');
const bundle = await rolldown({ input: join(subjects, 'native.js'), platform: 'node' });
await bundle.write({ file: join(subjects, 'bundled.js'), format: 'esm', codeSplitting: false });
await bundle.close();
