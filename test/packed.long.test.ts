// SPDX-License-Identifier: MIT
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { rolldown } from 'rolldown';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Packed } from '../scripts/pack.mjs';
import { packWorkspaces } from '../scripts/pack.mjs';
import { readmeExample } from '../scripts/readme-example.mjs';
import type { Workspace } from '../scripts/workspaces.mjs';
import { findWorkspaces } from '../scripts/workspaces.mjs';
import { repositoryRoot } from './planted-repository.js';

/**
 * What a user gets: every package is packed as `npm publish` would, installed alone into an empty folder (with the packages it depends on, and nothing else), and its README's
 * example is compiled against the installed types, run, and must print what the README says.
 */
const execute = promisify(execFile);
const workspaces = findWorkspaces(repositoryRoot).filter(({ manifest }) => !manifest.private);
const folder = mkdtempSync(join(tmpdir(), 'lockless-packed-'));
let packed: Map<string, Packed>;

beforeAll(async () => {
  const built = workspaces.filter(({ dir }) => existsSync(join(dir, 'dist')));
  packed = new Map((await packWorkspaces(built, folder)).map((one) => [one.workspace.manifest.name, one]));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The package and all packages of this repository that it needs, as dependencies on their tarballs. */
function tarballsFor(name: string, found: Record<string, string> = {}): Record<string, string> {
  const one = packed.get(name);
  if (!one || name in found) return found;
  found[name] = `file:${one.tarball}`;
  const { dependencies, peerDependencies } = one.workspace.manifest;
  for (const dependency of Object.keys({ ...dependencies, ...peerDependencies })) tarballsFor(dependency, found);
  return found;
}

/** Installs one workspace's tarball into an empty folder and returns the folder. */
async function install({ id, path, manifest }: Workspace): Promise<string> {
  if (!packed.has(manifest.name)) throw new Error(`${path} is not built: npm run build`);
  const dir = mkdtempSync(join(folder, `${id}-`));
  const user = { name: 'user', private: true, type: 'module', dependencies: tarballsFor(manifest.name) };
  writeFileSync(join(dir, 'package.json'), JSON.stringify(user));
  const flags = ['--prefer-offline', '--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts'];
  await execute('npm', ['install', ...flags], { cwd: dir });
  return dir;
}

const forNode = {
  target: 'es2023',
  module: 'nodenext',
  typeRoots: [join(repositoryRoot, 'node_modules/@types')],
  types: ['node'],
};
/** As bundlers' templates have it. */
const forBrowsers = {
  target: 'es2022',
  lib: ['es2022', 'dom', 'dom.iterable'],
  module: 'esnext',
  moduleResolution: 'bundler',
  types: [],
};

/** Fails with the compiler's messages when the example does not type-check against what was installed. */
async function typeCheck(dir: string, options: object = forNode): Promise<void> {
  const compilerOptions = { strict: true, noEmit: true, skipLibCheck: false, ...options };
  writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['example.ts'] }));
  const tsc = join(repositoryRoot, 'node_modules/@typescript/native/bin/tsc');
  await execute(process.execPath, [tsc, '-p', dir]).catch((error: { stdout: string }) => {
    throw new Error(`the README's example does not compile:\n${error.stdout}`);
  });
}

describe.concurrent('installed alone from its tarball', () => {
  test.each(workspaces.filter(({ app }) => !app))("$manifest.name runs its README's example", async (workspace) => {
    const example = readmeExample(readFileSync(join(workspace.dir, 'README.md'), 'utf8'));
    if (typeof example === 'string') throw new Error(`${workspace.path}/README.md: ${example}`);
    const dir = await install(workspace);
    writeFileSync(join(dir, 'example.ts'), example.program);
    await typeCheck(dir);
    const compilerOptions = { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext };
    const { outputText } = ts.transpileModule(example.program, { compilerOptions });
    writeFileSync(join(dir, 'example.js'), outputText);
    const { stdout } = await execute(process.execPath, ['example.js'], { cwd: dir, timeout: 120_000 });
    expect(stdout).toBe(example.output);
  });

  test('@lockless/file-cache is bundled, for Node and for browsers', async () => {
    const workspace = workspaces.find(({ id }) => id === 'file-cache') as Workspace;
    const dir = await install(workspace);
    const readme = readFileSync(join(workspace.dir, 'README.md'), 'utf8');
    const parts = [readme, readme.slice(readme.indexOf('## In a browser'))].map(readmeExample);
    for (const [i, platform] of (['node', 'browser'] as const).entries()) {
      const example = parts[i];
      if (typeof example === 'string') throw new Error(example);
      const input = join(dir, 'example.ts');
      writeFileSync(input, example.program);
      await typeCheck(dir, platform === 'node' ? forNode : forBrowsers);
      const warnings: string[] = [];
      // Node 20 has no `using`.
      const transform = { target: 'es2023' };
      const bundle = await rolldown({ input, platform, transform, onLog: (_, { message }) => warnings.push(message) });
      const { output } = await bundle.write({ dir: join(dir, platform), minify: true });
      expect(warnings).toEqual([]);
      expect(output).toHaveLength(1);
      const [{ imports, fileName }] = output;
      expect(imports.filter((name) => !name.startsWith('node:') || platform === 'browser')).toEqual([]);
      if (platform === 'browser') continue;
      const run = { cwd: join(dir, platform), timeout: 120_000 };
      expect((await execute(process.execPath, [fileName], run)).stdout).toBe(example.output);
    }
  });

  test.each(workspaces.filter(({ manifest }) => manifest.bin))(
    '$manifest.name starts as a command',
    async (workspace) => {
      const dir = await install(workspace);
      const { bin, name } = workspace.manifest;
      for (const command of typeof bin === 'string' ? [name] : Object.keys(bin ?? {})) {
        const { stdout } = await execute(join(dir, 'node_modules/.bin', command), ['--help'], { cwd: dir });
        expect(stdout).toContain(`Usage: ${command}`);
      }
    },
  );
});
