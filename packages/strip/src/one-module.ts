// SPDX-License-Identifier: MIT
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import remapping from '@jridgewell/remapping';
import { rolldown } from 'rolldown';
import { type IsConstant, settle } from './settle.js';

const COMPILED = /\.js(\.map)?$/;

/**
 * Makes one module of a compiled folder, `index.js`, with its source map; type declarations stay as they are. What it imports of other packages stays
 * imported: a package is one module, so that a thread has one copy of each.
 */
export async function oneModule(folder: string, isConstant: IsConstant): Promise<void> {
  const entry = join(folder, 'index.js');
  const bundle = await rolldown({
    input: entry,
    platform: 'neutral',
    external: (id) => !id.startsWith('.') && !isAbsolute(id),
    // Whatever a module does when it is loaded, such as taking an address, every thread must do.
    treeshake: false,
    plugins: [{ name: 'source-maps', load: (file) => withMap(file) }],
  });
  const { output } = await bundle.generate({
    file: entry,
    format: 'esm',
    sourcemap: true,
    codeSplitting: false,
  });
  await bundle.close();
  const [{ code, map }] = output;
  const settled = settle(code, entry, isConstant);
  const joined = remapping(settled.map.toString(), (source) => (source === 'module' ? JSON.stringify(map) : null));
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' }))
    if (COMPILED.test(file)) rmSync(join(folder, file));
  writeFileSync(entry, settled.code);
  writeFileSync(`${entry}.map`, joined.toString());
}

/** A compiled file and the map beside it. */
function withMap(file: string): { code: string; map: string } {
  const code = readFileSync(file, 'utf8').replace(/^\/\/# sourceMappingURL=.*$/m, '');
  return { code, map: readFileSync(`${file}.map`, 'utf8') };
}
