// SPDX-License-Identifier: MIT
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { compile } from './compile.js';
import { type FolderOptions, stripFolder } from './folder.js';
import type { Offered } from './inline/offered.js';
import { oneModule } from './one-module.js';
import { exportedVariables } from './settle.js';

/** The part of a package.json that says how its native build is made. */
interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly lockless?: { readonly segment?: number };
}

/** A package.json that does not say how the native build is made, or that is not there. */
export class ManifestError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ManifestError';
  }
}

/** What a package defines at module load, and where it must come from so that every thread gives it the same numbers. */
const STATIC_DATA = [
  'defineStatic',
  'defineWord',
  'definePerCpu',
  'definePerCpuWord',
  'defineGuard',
  'functionPointer',
  'kmemCacheCreate',
] as const;

/** Names that a package exports and that are operations; beside its native build, for packages that import them. */
const OPERATIONS = 'operations.json';
/** What those may write out of it. */
const OFFERED = 'offered.json';

/**
 * Makes the native build of the package in `folder`: `src` translated into `.native`, and that compiled into `dist/native`. Imports of packages that have
 * a `./native` themselves lead there. Returns the number of files. Throws {@link StripError}, {@link CompileError} or {@link ManifestError}.
 */
export async function buildNativePackage(folder: string): Promise<number> {
  const manifest = readManifest(folder);
  const segment = manifest.lockless?.segment;
  if (typeof segment !== 'number' || !Number.isInteger(segment) || segment < 0)
    throw new ManifestError(
      `${join(folder, 'package.json')}: expected "lockless": { "segment": NUMBER }, which no other package has`,
    );
  const modules: Record<string, string> = {};
  const operations = new Map<string, ReadonlySet<string>>();
  const variables = new Map<string, ReadonlySet<string>>();
  const offered = new Map<string, Offered>();
  for (const name of Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })) {
    const found = dependency(folder, name);
    if (found === null || readManifest(found).exports?.['./native'] === undefined) continue;
    modules[name] = `${name}/native`;
    operations.set(name, readOperations(found));
    const file = join(found, 'dist', 'native', OFFERED);
    if (existsSync(file)) offered.set(`${name}/native`, JSON.parse(readFileSync(file, 'utf8')));
    variables.set(`${name}/native`, exportedVariables(readFileSync(join(found, 'dist/native/index.js'), 'utf8')));
  }
  const generated = join(folder, '.native');
  const out = join(folder, 'dist', 'native');
  const redirected = { names: STATIC_DATA, file: 'static-data.ts' };
  const options: FolderOptions = { entries: ['index.ts'], modules, operations, ...(segment > 0 && { redirected }) };
  const result = stripFolder(join(folder, 'src'), generated, options);
  if (result.redirects) writeFileSync(join(generated, 'static-data.ts'), staticData(segment, manifest.name));
  compile(generated, out, join(folder, 'tsconfig.json'));
  const offers = await oneModule(out, (module, name) => variables.get(module)?.has(name) === false, offered);
  writeFileSync(join(out, OFFERED), JSON.stringify(offers));
  writeFileSync(join(out, OPERATIONS), JSON.stringify(result.operations));
  return result.files.size;
}

function readManifest(folder: string): Manifest {
  const file = join(folder, 'package.json');
  if (!existsSync(file)) throw new ManifestError(`${file}: no such file; expected the folder of a package`);
  return JSON.parse(readFileSync(file, 'utf8'));
}

function readOperations(folder: string): Set<string> {
  const file = join(folder, 'dist', 'native', OPERATIONS);
  return new Set(existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as string[]) : []);
}

/** Where a dependency is installed, as Node looks for it. */
function dependency(from: string, name: string): string | null {
  for (let at = resolve(from); ; at = dirname(at)) {
    const found = join(at, 'node_modules', name);
    if (existsSync(join(found, 'package.json'))) return found;
    if (dirname(at) === at) return null;
  }
}

/** A module that gives this package's static data its own segment. */
function staticData(segment: number, name: string): string {
  const members = STATIC_DATA.map((member) => `export const ${member}: StaticData['${member}'] = own.${member};\n`);
  return `import { type StaticData, staticData } from '@lockless/cpu/native';

const own: StaticData = staticData(${segment}, '${name}');
${members.join('')}`;
}
