// SPDX-License-Identifier: MIT
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { oneModule } from '../src/one-module.js';

/* A module whose names are made constants and whose small calls are written out does what the modules did that it was made of. */

let folder: string;
beforeEach(() => {
  const cache = join(import.meta.dirname, '../../../node_modules/.cache/lockless');
  mkdirSync(cache, { recursive: true });
  folder = mkdtempSync(join(cache, 'settle-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

let loads = 0;
/** Exports of the module that is made of these files, beside those of the files as they are, and its text. */
async function both(
  files: Readonly<Record<string, string>>,
): Promise<{ before: unknown; after: unknown; text: string }> {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text.replaceAll('FOLDER', pathToFileURL(folder).href));
    if (path.endsWith('.js')) writeFileSync(join(folder, `${path}.map`), JSON.stringify(NO_MAP));
  }
  const load = async (): Promise<Record<string, unknown>> =>
    import(`${pathToFileURL(join(folder, 'index.js')).href}?${loads++}`);
  const before = (await load()).result;
  await oneModule(folder, (_, name) => name !== 'changing');
  return { before, after: (await load()).result, text: readFileSync(join(folder, 'index.js'), 'utf8') };
}
const NO_MAP = { version: 3, sources: ['x.ts'], names: [], mappings: '' };

const LAYOUT = `
export const Page = { $offset: { flags: 0, count: 1, slots: 2 },
  flags: (p) => p, count: (p) => p + 1, slots: (p, index = 0) => p + 2 + index };
`;

test('functions are there from the beginning, before and after what they use', async () => {
  const { before, after } = await both({
    'index.js':
      "import { early } from './a.js';\nexport const result = [early(3), later(2)];\nfunction later(n) { return n === 0 ? [] : [n, ...later(n - 1)]; }\n",
    'a.js': 'export const first = early(1);\nexport function early(n) { return n + 1; }\n',
  });
  expect(after).toEqual(before);
  expect(after).toEqual([4, [2, 1]]);
});

test('what may change is looked at each time, what is exported and imported is the same', async () => {
  const { before, after } = await both({
    'index.js':
      "import { changing, change } from 'FOLDER/state.mjs';\nimport { own, set } from './own.js';\nexport { own, set };\nfunction seen() { return [changing, own]; }\nchange(0);\nconst first = seen();\nchange(2);\nset(3);\nexport const result = [first, seen()];\n",
    'own.js': 'export let own = 0;\nexport function set(to) { own = to; }\n',
    'state.mjs': 'export let changing = 0;\nexport function change(to) { changing = to; }\n',
  });
  expect(after).toEqual(before);
  expect(after).toEqual([
    [0, 0],
    [2, 3],
  ]);
});

test('accessors are written out, also one in another, with whatever arguments; not where their name means something else', async () => {
  const { before, after, text } = await both({
    'index.js': `import { Page } from './layout.js';
function inner(Node) { return Node.count(5); }
const Node = { $offset: { count: 7 }, count: (p) => p + 7 };
const at = (a, b) => Page.slots(a ? Page.count(b) : 100, b, 1) + Page.slots(Page.flags(b), a + 1) + Page.slots(b);
export const result = [at(1, 10), at(0, 20), inner({ count: () => 'another' }), Page.count(3) * 2, Node.count(1)];
`,
    'layout.js': LAYOUT,
  });
  expect(after).toEqual(before);
  expect(text).toContain('(3 + 1) * 2');
  expect(text).toContain('Node.count(5)');
});

test('a setting is written out, a guard is not, and a function that only calls another is that one', async () => {
  const { before, after, text } = await both({
    'index.js': `const configSmp = () => true;
const inForce = () => true;
const code = (name) => (a, b = 7) => [name, a, b];
const guard = inForce;
const READ = code('read');
const two = (a, b) => [a, b];
const read = (at) => READ(at);
const swapped = (a, b) => two(b, a);
const fewer = (a) => two(a);
export const result = [configSmp() && guard(), read(1), swapped(1, 2), [1, 2].map(fewer)];
`,
  });
  expect(after).toEqual(before);
  expect(text).toMatch(/\tguard\(\),/);
  expect(text).toMatch(/const read = READ;/);
});

test('a module that cannot be loaded is told', async () => {
  await expect(
    both({ 'index.js': 'export const result = 1;\nif (process.argv[1] === undefined) throw new Error("no");\n' }),
  ).rejects.toThrow(/cannot be loaded:[\s\S]*no/);
});
