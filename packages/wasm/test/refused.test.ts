// SPDX-License-Identifier: MIT
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { main } from '../src/command.js';
import { assemble, translate, WasmError } from '../src/index.js';
import { instantiateIn, sharedWords } from './web-assembly.js';

const folder = mkdtempSync(join(tmpdir(), 'lockless-wasm-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const HEAD = `export const attached = {
  words: new Int32Array(new SharedArrayBuffer(64)), thisCpu: { id: 0, fence: 0, preemptCount: 0, current: 0 } };
let changing = 1;
`;
let modules = 0;
function moduleOf(text: string): { entry: string; thread: { module: string; name: string } } {
  const entry = join(folder, `module-${modules++}.mjs`);
  writeFileSync(entry, HEAD + text);
  return { entry, thread: { module: '', name: 'attached' } };
}

const refusal = async (text: string): Promise<[number, number, string]> => {
  const error = await translate(moduleOf(text)).catch((thrown) => thrown);
  if (!(error instanceof WasmError)) throw new Error(`not refused: ${error}`);
  return [error.line, error.column, error.message.replace(/^.*?:\d+:\d+: /, '')];
};

describe('what is outside the subset is an error that names the place', () => {
  it.each<[what: string, text: string, column: number, message: RegExp]>([
    ['objects', 'export function f(a) { return { a }; }', 31, /ObjectExpression/],
    ['division', 'export function f(a) { return a / 2; }', 31, /operator \//],
    ['exceptions', 'export function f(a) { throw a; }', 24, /ThrowStatement/],
    ['variables of the module', 'export function f(a) { return a + changing; }', 35, /may change/],
    ['recursion', 'export function f(a) { return f(a); }', 31, /calls itself/],
    ['functions of the language', 'export function f(a) { return Math.sqrt(a); }', 31, /no text/],
    ['texts', "export function f(a) { return a + 'x'; }", 35, /a text, and no 32-bit word/],
    ['signed meets unsigned', 'export function f(a) { return a < a >>> 0; }', 31, /int and uint meet/],
    ['a condition as a number', 'export function f(a) { return (a < 3) + 1; }', 24, /condition is used as a number/],
    ['numbers of more than 32 bits', 'export function f(a) { return a < 5e9; }', 35, /no 32-bit word/],
    ['a product of which 32 bits are used', 'export function f(a) { return (a * a) | 0; }', 32, /Math.imul/],
    [
      'other state of the thread',
      'export function f() { return attached.thisCpu.current; }',
      30,
      /not what WebAssembly knows/,
    ],
    ['the number of the thread', 'export function f() { attached.thisCpu.id = 3; }', 23, /does not change/],
    ['waiting', 'export function f() { return Atomics.wait(attached.words, 0, 1); }', 30, /stays in JavaScript/],
    [
      'values on some ways only',
      'const g = (a) => { if (a > 1) return 3; };\nexport function f(a) { return 1 + g(a); }',
      31,
      /nothing/,
    ],
  ])('%s', async (_what, text, column, message) => {
    const [line, at, said] = await refusal(text);
    expect(said).toMatch(message);
    expect([line, at]).toEqual([3 + text.split('\n').length, column]);
  });
});

describe('the checked form traps', () => {
  const run = async (text: string, checked: boolean): Promise<(...words: number[]) => number> => {
    const bytes = await assemble(await translate({ ...moduleOf(text), checked }));
    return instantiateIn<(...words: number[]) => number>(bytes, sharedWords()).f;
  };
  it.each([
    ['where a sum needs more than 32 bits', 'export function f(a) { return a + 1 > a ? 1 : 0; }', 2 ** 31 - 1],
    ['where an address is none', 'export function f(a) { return attached.words[a]; }', 2 ** 30],
    ['where a function leaves the thread another', 'export function f(a) { attached.thisCpu.preemptCount += a; }', 1],
  ])('%s', async (_where, text, word) => {
    const careful = await run(text, true);
    expect(() => careful(0)).not.toThrow();
    expect(() => careful(word)).toThrow('unreachable');
    const plain = await run(text, false);
    expect(() => plain(word)).not.toThrow();
  });
});

it('the command tells what is wrong by its exit code', async () => {
  const said = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  expect(await main([])).toBe(2);
  expect(await main([moduleOf('export function f(a) { return [a]; }').entry])).toBe(3);
  expect(said.mock.lastCall?.[0]).toMatch(/module-\d+\.mjs:4:31: ArrayExpression is none of the subset/);
  said.mockRestore();
});
