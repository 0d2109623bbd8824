// SPDX-License-Identifier: GPL-2.0-only
import { expect, it } from 'vitest';
import { bundleForBrowser } from './browser/serve.js';

it.each(['@lockless/file-cache', '@lockless/native', '@lockless/shared-map'])(
  '%s, bundled for a browser, is complete: it imports nothing of Node',
  async (name) => {
    const { imports, modules, code } = await bundleForBrowser('entry.js', `export * from '${name}';`);
    expect(imports).toEqual([]);
    const ours = /\/packages\/[-\w]+\/(dist|test\/browser)\/[-\w/]+(\.wasm)?\.js$/;
    expect(modules.filter((id) => !ours.test(id) && id !== '\0rolldown/runtime.js')).toEqual([]);
    expect(code).not.toMatch(/['"]node:(?!worker_threads)|\brequire\(/);
  },
);

it('an entry that is not for browsers would be found', async () => {
  const { imports } = await bundleForBrowser('entry.js', `export * from '@lockless/file-cache/node';`);
  expect(imports).toContain('node:fs');
});
