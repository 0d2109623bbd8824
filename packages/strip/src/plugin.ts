// SPDX-License-Identifier: MIT
import { existsSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { createUnplugin, type UnpluginInstance } from 'unplugin';
import type { StripOptions } from './options.js';
import { strip } from './strip.js';

export interface PluginOptions extends Omit<StripOptions, 'file'> {
  /** Which files are translated. Default: TypeScript outside of `node_modules`. */
  readonly include?: (file: string) => boolean;
}

const byDefault = (file: string): boolean => /\.[cm]?tsx?$/.test(file) && !/[\\/]node_modules[\\/]/.test(file);

/**
 * The strip step in a bundler: `lockless.vite(options)`, `.rollup`, `.rolldown`, `.esbuild`, `.webpack`, `.rspack`. It must come before whatever takes the
 * types away, which it does by itself where the bundler knows an order. A file `x.native.ts` takes the place of `x.ts` here too.
 */
export const lockless: UnpluginInstance<PluginOptions | undefined> = createUnplugin((given = {}) => {
  const { include = byDefault, ...options } = given;
  return {
    name: '@lockless/strip',
    enforce: 'pre',
    resolveId(source, importer) {
      if (importer === undefined || !source.startsWith('.') || !include(importer)) return null;
      const native = resolve(dirname(importer), source).replace(/\.([cm]?)[jt]s(x?)$/, '.native.$1ts$2');
      return existsSync(native) ? native : null;
    },
    transformInclude: include,
    transform(code, id) {
      const { code: stripped, map } = strip(code, { ...options, file: relative(process.cwd(), id) });
      map.sources = [id];
      return { code: stripped, map };
    },
  };
});
