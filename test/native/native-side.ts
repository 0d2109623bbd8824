// SPDX-License-Identifier: MIT
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { strip } from '@lockless/strip';
import ts from 'typescript';
import { repositoryRoot } from '../planted-repository.js';
import type { Step } from './program.js';

/** What a thread told of its packages: names and numbers of what they define when they are loaded. */
export interface Loaded {
  readonly staticWords: number;
  readonly symbols: readonly { readonly name: string; readonly address: number; readonly size: number }[];
  readonly functions: readonly (readonly [name: string, pointer: number])[];
  readonly caches: readonly (readonly [name: string, id: number])[];
}

/** One run: each primitive with address, operand and expected value, the steps' results, and the memory in the end. */
export interface Run {
  readonly trace: readonly (string | number)[];
  readonly results: readonly (readonly number[])[];
  readonly error: string | null;
  readonly top: number;
  readonly words: Int32Array;
}

export const WORDS: number = (1 << 20) + (1 << 17);
/** Where both sides have their task: in the words of a segment that no package has. */
export const TASK: number = 1 << 18;

const folderOfProcess = join(repositoryRoot, 'node_modules/.cache/lockless/native-programs', `${process.pid}`);
const modules = Object.fromEntries(
  ['cpu', 'mm-types', 'rcu', 'page', 'radix-tree', 'value-map', 'pagecache'].map((id) => [
    `@lockless/${id}`,
    `@lockless/${id}/native`,
  ]),
);

/** Strips and compiles a program; `folder`: where, so that it finds the packages that are to be found from there. */
export function stripProgram(name: string, folder: string = folderOfProcess): string {
  const source = join(repositoryRoot, 'test/native/programs', `${name}.ts`);
  const { code } = strip(readFileSync(source, 'utf8'), { file: source, modules });
  const compilerOptions = { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true };
  const out = join(folder, `${name}.mjs`);
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(out, ts.transpileModule(code, { compilerOptions }).outputText);
  return out;
}

export const removePrograms = (): void => rmSync(folderOfProcess, { recursive: true, force: true });

const STORE =
  /^(\s*(?:else )?(?:if \(.*\) )?)\$?(?:store|writeOnce|rcuAssignPointer|smpStoreRelease|atomic\w+|(?:nonAtomic)?(?:set|clear)\w+)\(.*\);$/gm;

const nativeBuild = (name: string): string => join(repositoryRoot, 'packages', name, 'dist/native/index.js');

/** A line of the source that does nothing but store, and where it is in the native build: once more wherever its function is written out. */
export interface StoreStatement {
  readonly at: readonly number[];
  readonly source: string;
}

/** The lines of a source file of which the native build has statements that do nothing but store. */
export function storesOf(name: string, file: string): StoreStatement[] {
  const text = readFileSync(nativeBuild(name), 'utf8');
  const map = new SourceMap(JSON.parse(readFileSync(`${nativeBuild(name)}.map`, 'utf8')));
  const lines = readFileSync(join(repositoryRoot, 'packages', name, 'src', file), 'utf8').split('\n');
  const places = new Map<number, number[]>();
  for (const { index, 1: before } of text.matchAll(STORE)) {
    const above = text.slice(0, index + before.length).split('\n');
    const entry = map.findEntry(above.length - 1, (above.at(-1) ?? '').length);
    if (!('originalSource' in entry) || !entry.originalSource.endsWith(`/src/${file}`)) continue;
    places.set(entry.originalLine, [...(places.get(entry.originalLine) ?? []), index]);
  }
  return [...places].map(([line, at]) => ({ at, source: lines[line].trim() }));
}

/** A program with a copy of the package of its name in which that statement is missing. */
export function withoutStore(name: string, { at }: StoreStatement): string {
  const folder = join(folderOfProcess, `${name}-${at[0]}`);
  const copy = join(folder, 'node_modules/@lockless', name);
  const original = join(repositoryRoot, 'packages', name);
  cpSync(join(original, 'package.json'), join(copy, 'package.json'));
  mkdirSync(join(copy, 'dist/native'), { recursive: true });
  const text = readFileSync(nativeBuild(name), 'utf8').replace(STORE, (statement, before: string, index: number) =>
    at.includes(index) ? `${before};` : statement,
  );
  writeFileSync(join(copy, 'dist/native/index.js'), text);
  return stripProgram(name, folder);
}

/** A thread with the native packages, that runs one program. */
export class NativeSide {
  private readonly worker: Worker;
  readonly loaded: Promise<Loaded>;

  /** `quietRcu`: of a machine whose RCU readers say nothing. */
  constructor(program: string, table = 'fast', quietRcu = false) {
    const workerData = { program: pathToFileURL(program).href, words: WORDS, task: TASK, quietRcu };
    const env = { ...process.env, LOCKLESS_PRIMITIVES: table };
    this.worker = new Worker(new URL('./worker.mjs', import.meta.url), { workerData, env });
    this.loaded = this.answer<Loaded>();
  }

  async run(steps: readonly Step[]): Promise<Run> {
    await this.loaded;
    this.worker.postMessage(steps);
    return this.answer<Run>();
  }

  async end(): Promise<void> {
    await this.worker.terminate();
  }

  private answer<T>(): Promise<T> {
    return new Promise((resolve, reject) => {
      this.worker.once('error', reject);
      this.worker.once('message', (message: T) => {
        this.worker.off('error', reject);
        resolve(message);
      });
    });
  }
}
