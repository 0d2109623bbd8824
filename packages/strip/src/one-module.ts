// SPDX-License-Identifier: MIT
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import remapping from '@jridgewell/remapping';
import { rolldown } from 'rolldown';
import { inlineCalls } from './inline/inline.js';
import type { Offered } from './inline/offered.js';
import { type IsConstant, settle } from './settle.js';

const COMPILED = /\.js(\.map)?$/;

/**
 * Makes one module of a compiled folder, `index.js`, with its source map; type declarations stay as they are. What it imports of other packages stays
 * imported: a package is one module, so that a thread has one copy of each. `packages`: what those offer, and *returns* what this one does.
 */
export async function oneModule(
  folder: string,
  isConstant: IsConstant,
  packages: ReadonlyMap<string, Offered> = new Map(),
): Promise<Offered> {
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
  const inlined = inlineCalls(settled.code, settled.values, packages);
  const maps = [...inlined.maps, settled.map.toString(), JSON.stringify(map)];
  let at = 0;
  // Each map has one source, which is what the next one is of; the last has the files.
  const joined = remapping(maps[0], () => maps[++at] ?? null);
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' }))
    if (COMPILED.test(file)) rmSync(join(folder, file));
  writeFileSync(entry, inlined.code);
  writeFileSync(`${entry}.map`, joined.toString());
  return inlined.offered;
}

/** A compiled file and the map beside it. */
function withMap(file: string): { code: string; map: string } {
  const code = readFileSync(file, 'utf8').replace(/^\/\/# sourceMappingURL=.*$/m, '');
  return { code, map: readFileSync(`${file}.map`, 'utf8') };
}
