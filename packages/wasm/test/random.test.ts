// SPDX-License-Identifier: MIT
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { afterAll, expect, it } from 'vitest';
import { assemble, translate, WasmError } from '../src/index.js';
import { randomModule } from './random-function.js';
import { instantiateIn, sharedWords } from './web-assembly.js';

const FUNCTIONS = 12;
const LONG = process.env.LOCKLESS_LONG !== undefined;

const folder = mkdtempSync(join(tmpdir(), 'lockless-wasm-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let modules = 0;

type Run = (a: number, b: number) => number;
interface Ran {
  readonly result: number | 'trap';
  readonly words: Int32Array;
}

function ran(words: Int32Array, f: Run, a: number, b: number): Ran {
  words.set(Int32Array.from({ length: 64 }, (_, at) => Math.imul(at, 0x9e3779b1) >> (at & 31)));
  let result: number | 'trap';
  try {
    // A word has no -0.
    result = f(a, b) + 0;
  } catch (error) {
    if (!(error instanceof Error) || error.message !== 'unreachable') throw error;
    result = 'trap';
  }
  return { result, words: words.slice(0, 64) };
}

it('random functions do in WebAssembly what they do in JavaScript, or the checked form says that they are not of the subset', async () => {
  let trapped = 0;
  let same = 0;
  const argument = fc.oneof(fc.integer(), fc.integer({ min: -5, max: 80 }));
  await fc.assert(
    fc.asyncProperty(
      randomModule(FUNCTIONS),
      fc.array(fc.tuple(argument, argument), { minLength: 4, maxLength: 4 }),
      async (text, inputs) => {
        const entry = join(folder, `random-${modules++}.mjs`);
        writeFileSync(entry, text);
        const options = { entry, thread: { module: '', name: 'attached' } };
        const javascript = (await import(/* @vite-ignore */ pathToFileURL(entry).href)) as Record<string, Run> & {
          attached: { words: Int32Array };
        };
        const memory = sharedWords();
        const words = await translate(options).catch((error) => {
          // Constants that add up to more than 2^31, and meet a signed word.
          if (error instanceof WasmError && error.message.includes('meet here')) return null;
          throw error;
        });
        if (words === null) return;
        const plain = instantiateIn<Run>(await assemble(words), memory);
        const checked = instantiateIn<Run>(await assemble(await translate({ ...options, checked: true })), memory);
        for (let n = 0; n < FUNCTIONS; n++)
          for (const [a, b] of inputs) {
            const expected = ran(javascript.attached.words, javascript[`f${n}`], a, b);
            const careful = ran(memory.words, checked[`f${n}`], a, b);
            if (careful.result === 'trap') {
              trapped++;
              continue;
            }
            same++;
            expect({ ...careful, name: `f${n}` }).toEqual({ ...expected, name: `f${n}` });
            expect(ran(memory.words, plain[`f${n}`], a, b)).toEqual(careful);
          }
      },
    ),
    { numRuns: LONG ? 40 : 2, interruptAfterTimeLimit: 40_000 },
  );
  // Most say something.
  expect(same).toBeGreaterThan(trapped);
});
