// SPDX-License-Identifier: MIT
import fc from 'fast-check';
import { type Code, F, failed, lock, type Program, program, R, rcu, rmw, srcu, unlock, W } from './program.js';

const location = fc.constantFrom('x', 'y');
const readTag = fc.constantFrom('once', 'once', 'acquire', 'plain', 'plain');
const writeTag = fc.constantFrom('once', 'once', 'release', 'plain', 'plain');
const fenceTag = fc.constantFrom(
  'mb',
  'rmb',
  'wmb',
  'before-atomic',
  'after-atomic',
  'after-spinlock',
  'after-unlock-lock',
  'barrier',
  'after-srcu-read-unlock',
);
const order = fc.constantFrom('mb', 'once', 'acquire', 'release', 'noreturn');
/** Dependencies as numbers of earlier loads, counted back; put in afterwards. */
type Item = { code: (name: string, earlier: readonly string[]) => Code; loads: boolean };
const pick = (earlier: readonly string[], k: number): string[] =>
  earlier.length === 0 || k >= 3 ? [] : [earlier[earlier.length - 1 - (k % earlier.length)]];
const back = fc.nat({ max: 8 });

const load: fc.Arbitrary<Item> = fc.tuple(location, readTag, back).map(([x, tag, a]) => ({
  code: (name, earlier) => R(x, tag, { name, addr: pick(earlier, a) }),
  loads: true,
}));
const store: fc.Arbitrary<Item> = fc.tuple(location, writeTag, back, back, back).map(([x, tag, a, d, c]) => ({
  code: (_, earlier) => W(x, tag, { addr: pick(earlier, a), data: pick(earlier, d), ctrl: pick(earlier, c) }),
  loads: false,
}));
const fence: fc.Arbitrary<Item> = fenceTag.map((tag) => ({ code: () => F(tag), loads: false }));
const atomic: fc.Arbitrary<Item> = fc
  .tuple(location, order)
  .map(([x, o]) => ({ code: (name) => rmw(x, o, { name }), loads: true }));
const missed: fc.Arbitrary<Item> = fc.tuple(location, fc.constantFrom('mb', 'acquire', 'once')).map(([x, tag]) => ({
  code: (name) => failed(x, tag, { name }),
  loads: true,
}));
const sync: fc.Arbitrary<Item> = fc.constantFrom('sync-rcu', 'sync-srcu').map((tag) => ({
  code: () => F(tag, tag === 'sync-srcu' ? 's' : null),
  loads: false,
}));
const basic = fc.oneof(
  { weight: 5, arbitrary: load },
  { weight: 5, arbitrary: store },
  { weight: 4, arbitrary: fence },
  atomic,
  missed,
);
const pair = fc.tuple(basic, basic);
const section: fc.Arbitrary<Item[]> = fc
  .tuple(fc.constantFrom('rcu', 'srcu', 'lock', 'lock'), pair, fc.array(fenceTag, { maxLength: 1 }))
  .map(([kind, [a, b], after]) => {
    const wrapped: Item = {
      code: (name, earlier) => {
        const inside = [a.code(`${name}.0`, earlier), b.code(`${name}.1`, a.loads ? [`${name}.0`] : earlier)];
        const fences = after.map((tag) => F(tag));
        if (kind === 'rcu') return rcu(...inside);
        if (kind === 'srcu') return [...srcu('s', `${name}.s`, ...inside), ...fences];
        return [lock('l'), ...fences, ...inside, unlock('l')];
      },
      loads: false,
    };
    return [wrapped];
  });
const thread = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: basic.map((item) => [item]) },
      { weight: 3, arbitrary: section },
      { weight: 2, arbitrary: sync.map((item) => [item]) },
    ),
    { minLength: 1, maxLength: 4 },
  )
  .map((items) => items.flat());
/** Straight-line programs of two or three threads with everything that LKMM knows. */
export const programs: fc.Arbitrary<Program> = fc.array(thread, { minLength: 2, maxLength: 3 }).map((threads) =>
  program(
    ...threads.map((items, t) => {
      const earlier: string[] = [];
      return items.map((item, i) => {
        const name = `${t}.${i}`;
        const code = item.code(name, [...earlier]);
        if (item.loads) earlier.push(name);
        return code;
      });
    }),
  ),
);
