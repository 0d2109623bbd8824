// SPDX-License-Identifier: GPL-2.0-only
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

/** A bundle, and what it was made of. */
export interface Bundle {
  readonly code: string;
  /** Ids of all modules, and what it imports from outside. */
  readonly modules: readonly string[];
  readonly imports: readonly string[];
}

/** What a bundler makes of a module of this folder (or of a program) for a browser. */
export async function bundleForBrowser(module: string, program?: string): Promise<Bundle> {
  const input = program === undefined ? fileURLToPath(new URL(module, import.meta.url)) : module;
  const own = {
    name: 'program',
    resolveId: (id: string) => (id === module && program !== undefined ? `${import.meta.dirname}/${module}` : null),
    load: (id: string) => (id === `${import.meta.dirname}/${module}` && program !== undefined ? program : null),
  };
  const bundle = await rolldown({ input, platform: 'browser', plugins: [own], logLevel: 'silent' });
  const { output } = await bundle.generate({ format: 'esm', codeSplitting: false });
  await bundle.close();
  const [chunk] = output;
  return { code: chunk.code, modules: chunk.moduleIds, imports: [...chunk.imports, ...chunk.dynamicImports] };
}

const ISOLATION = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

const html = (script: string): string =>
  `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body><script type="module" src="${script}"></script>`;

/** Serves scripts, each with a page of its own, below /isolated/ with the headers that make a page cross-origin isolated, and below /plain/ without. */
export async function serve(
  scripts: Readonly<Record<string, string>>,
): Promise<{ readonly url: string; readonly server: Server }> {
  const server = createServer((request, response) => {
    const [, place, file = ''] = (request.url ?? '').split('/');
    const script = scripts[file.replace(/\.html$/, '.js')];
    if (script === undefined) return void response.writeHead(404).end();
    const isPage = file.endsWith('.html');
    response.writeHead(200, {
      'Content-Type': isPage ? 'text/html' : 'text/javascript',
      ...(place === 'isolated' && ISOLATION),
    });
    response.end(isPage ? html(file.replace(/\.html$/, '.js')) : script);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}
