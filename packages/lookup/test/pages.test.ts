// SPDX-License-Identifier: GPL-2.0-only
import { fileURLToPath } from 'node:url';
import { attached, GFP_KERNEL, KernelBug, type Ptr, peek, poke, primitiveTable, thisCpu } from '@lockless/cpu/native';
import * as functions from '@lockless/lookup/page-functions';
import { type PageLookup, pageLookup } from '@lockless/lookup/pages';
import { Page, PG_NONEWREFS } from '@lockless/mm-types/native';
import { instantiate } from '@lockless/native';
import { allocPage } from '@lockless/page/native';
import { GENERATIONS } from '@lockless/pagecache/native';
import { rcuReadLock, rcuReadUnlock, rcuThreadDied } from '@lockless/rcu/native';
import { assemble, translate } from '@lockless/wasm';
import fc from 'fast-check';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type CachedFile, cachedFile, contentAt, twice } from './machine.js';

const LONG = process.env.LOCKLESS_LONG !== undefined;
const CONTENT = Page.$offset.contentIdentity;

/** The modules with traps where a number needs more than 32 bits, and the like, for the table that is in use here. */
let checked = { fast: '', strict: '', fastQuiet: '', strictQuiet: '' };
beforeAll(async () => {
  const entry = fileURLToPath(new URL('../dist/page-functions.js', import.meta.url));
  const module = async (primitives: 'fast' | 'strict', quietRcu: boolean): Promise<string> => {
    const text = await translate({ entry, unsigned: ['index'], checked: true, primitives, constants: { quietRcu } });
    return Buffer.from(await assemble(text)).toString('base64');
  };
  const [mb, qsbr] = [await module(primitiveTable, false), await module(primitiveTable, true)];
  checked = { fast: mb, strict: mb, fastQuiet: qsbr, strictQuiet: qsbr };
});

let file: CachedFile | null = null;
function boot(...given: Parameters<typeof cachedFile>): CachedFile {
  file = cachedFile(...given);
  return file;
}
afterEach(() => {
  file?.machine.detach();
  file = null;
});

const index = fc.oneof(fc.nat(70), fc.nat(4200), fc.nat(2 ** 19 - 2), fc.constantFrom(0, 63, 64, 4095, 4096));
const step = fc.record({
  /** An index, or -1 - n: the n-th that has a page. */
  wanted: fc.oneof(
    index,
    fc.nat(23).map((n) => -1 - n),
    fc.constantFrom(2 ** 31, 2 ** 32 - 1),
  ),
  what: fc.constantFrom('find', 'find and put', 'peek', 'put the last'),
});
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

type Functions = Pick<PageLookup, 'findGetPage' | 'putPage' | 'peekPage'>;

/** What the steps find. A reference that the script found itself is the only one that it puts. */
function run(
  { findGetPage, putPage, peekPage }: Functions,
  { mapping }: CachedFile,
  steps: readonly Step[],
  indices: readonly number[],
) {
  const held: Ptr<Page>[] = [];
  return steps.map(({ wanted: named, what }) => {
    const wanted = named >= 0 ? named : (indices[-1 - named] ?? 0);
    if (what === 'peek') return peekPage(mapping, wanted, CONTENT);
    if (what === 'put the last') {
      const last = held.pop();
      if (last !== undefined) putPage(last);
      return 0;
    }
    const page = findGetPage(mapping, wanted);
    if (page !== 0 && what === 'find') held.push(page);
    else if (page !== 0) putPage(page);
    return page;
  });
}

describe('lookups in WebAssembly', () => {
  it.each([...GENERATIONS.map((generation) => [generation, 'mb'] as const), ['freeze-refs', 'qsbr'] as const])(
    'do to every word what the functions in JavaScript do: %s, %s',
    (generation, rcu) => {
      fc.assert(
        fc.property(fc.uniqueArray(index, { maxLength: 24 }), fc.array(step, { maxLength: 40 }), (indices, steps) => {
          file?.machine.detach();
          const it = boot(indices, generation, rcu);
          const wasm = pageLookup(it.machine);
          expect(wasm.inWebAssembly).toBe(true);
          const careful = instantiate(it.machine.words, checked, functions) as typeof functions;
          for (const one of [wasm, careful]) {
            const { results, differences } = twice(it.machine.words, [
              () => run(functions, it, steps, indices),
              () => run(one, it, steps, indices),
            ]);
            expect(results[1]).toEqual(results[0]);
            expect(differences).toEqual([]);
          }
          for (const [at, page] of it.pages) {
            expect(wasm.findGetPage(it.mapping, at)).toBe(page);
            expect(wasm.peekPage(it.mapping, at, CONTENT)).toBe(contentAt(at));
          }
          it.machine.detach();
          file = null;
        }),
        { numRuns: LONG ? 30 : 3, examples: [[[4095], [{ wanted: 2 ** 32 - 1, what: 'find' }]]] },
      );
    },
  );

  it('free the page whose last reference they put, in JavaScript', () => {
    const it = boot([3]);
    const { putPage } = pageLookup(it.machine);
    const page = allocPage(GFP_KERNEL) as Ptr<Page>;
    const { differences } = twice(it.machine.words, [() => functions.putPage(page), () => putPage(page)]);
    expect(differences).toEqual([]);
    expect(it.machine.words[page + Page.$offset._count]).toBe(0);
    expect(allocPage(GFP_KERNEL)).toBe(page);
    expect(thisCpu).toMatchObject({ preemptCount: 0, rcuReaders: 0, irqsDisabled: false });
  });

  it('wait in JavaScript, which sees that a reader goes on', () => {
    const it = boot([5], 'nonewrefs');
    const { findGetPage } = pageLookup(it.machine);
    const page = it.pages.get(5) as Ptr<Page>;
    const seen: object[] = [];
    const relax = vi.spyOn(attached.engine, 'relax').mockImplementation(() => {
      const { preemptCount, rcuReaders } = thisCpu;
      seen.push({ preemptCount, rcuReaders });
      poke(Page.flags(page), peek(Page.flags(page)) & ~(1 << PG_NONEWREFS));
    });
    poke(Page.flags(page), peek(Page.flags(page)) | (1 << PG_NONEWREFS));
    expect(findGetPage(it.mapping, 5)).toBe(page);
    expect(seen).toEqual([{ preemptCount: 1, rcuReaders: 1 }]);
    expect(thisCpu).toMatchObject({ preemptCount: 0, rcuReaders: 0 });

    // An error ends the call: who recovers finds the thread as if all had been JavaScript.
    relax.mockImplementation(() => {
      throw new Error('gone');
    });
    poke(Page.flags(page), peek(Page.flags(page)) | (1 << PG_NONEWREFS));
    expect(() => it.machine.run(() => findGetPage(it.mapping, 5))).toThrow('gone');
    relax.mockRestore();
    expect(thisCpu).toMatchObject({ preemptCount: 0, rcuReaders: 0 });
    rcuThreadDied(it.machine.cpu);
    poke(Page.flags(page), peek(Page.flags(page)) & ~(1 << PG_NONEWREFS));
    expect(findGetPage(it.mapping, 5)).toBe(page);
    expect(thisCpu).toMatchObject({ preemptCount: 0, rcuReaders: 0 });
  });

  it('report a broken rule as JavaScript does, which sees the state of the thread then', () => {
    const it = boot([]);
    const { putPage } = pageLookup(it.machine);
    const free = 16 as Ptr<Page>;
    expect(() => putPage(free)).toThrow(KernelBug);
    expect(() => putPage(free)).toThrow('put_page_testzero: page_count(page) == 0');
  });

  it.each(['mb', 'qsbr'] as const)('nest in readers of JavaScript, which end as they would: %s', (rcu) => {
    const it = boot([5], 'freeze-refs', rcu);
    const { peekPage, findGetPage } = pageLookup(it.machine);
    rcuReadLock();
    const within = it.machine.words.slice();
    // More often than readers that say nothing otherwise come to say that they are over: inner ones never do.
    for (let n = 0; n < 600; n++) expect(peekPage(it.mapping, 5, CONTENT)).toBe(contentAt(5));
    expect(it.machine.words.every((word, at) => word === within[at])).toBe(true);
    expect(findGetPage(it.mapping, 6)).toBe(0);
    expect(thisCpu).toMatchObject({ preemptCount: 1, rcuReaders: 1 });
    rcuReadUnlock();
    expect(thisCpu).toMatchObject({ preemptCount: 0, rcuReaders: 0 });
    expect(() => rcuReadUnlock()).toThrow('rcu_read_unlock() without rcu_read_lock()');
  });
});
