// SPDX-License-Identifier: MIT
import type { SourceMap, SourceMapping } from 'node:module';
import type { Frame } from './explore/execution.js';

/** Maps of the modules that were asked about; null where there is none. */
const maps = new Map<string, SourceMap | null>();

/** The source map beside a compiled module, where there are files (in a browser there are none). */
function mapOf(file: string): SourceMap | null {
  const known = maps.get(file);
  if (known !== undefined) return known;
  let map: SourceMap | null = null;
  try {
    const { readFileSync } = process.getBuiltinModule('node:fs');
    const { SourceMap } = process.getBuiltinModule('node:module');
    const path = file.startsWith('file:') ? new URL(`${file}.map`) : `${file}.map`;
    map = new SourceMap(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    // Not compiled, or not with a map: positions stay as they are.
  }
  maps.set(file, map);
  return map;
}

/** `filemap.ts:70`: where the code was written, as far as that is known. */
export function locationOf({ file, line, column }: Frame): string {
  const module = file.replace(/[?#].*/, '');
  const map = /\.[cm]?js$/.test(module) ? mapOf(module) : null;
  const { originalSource, originalLine } = (map?.findEntry(line - 1, column - 1) ?? {}) as Partial<SourceMapping>;
  const source = originalSource ?? module;
  const at = originalSource === undefined || originalLine === undefined ? line : originalLine + 1;
  const base = source.slice(source.lastIndexOf('/') + 1);
  return base === '' ? 'unknown' : `${base}:${at}`;
}
