// SPDX-License-Identifier: MIT
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Explanation,
  explain,
  lkmm,
  type MemoryModel,
  namedRelations,
  sc,
  tso,
  type Witness,
} from '../src/index.js';
import {
  type Code,
  F,
  lock,
  matches,
  mb,
  type Outcome,
  type Program,
  program,
  R,
  rcu,
  rmw,
  srcu,
  sync,
  unlock,
  W,
  witnesses,
} from './program.js';
import { programs } from './programs.js';

/** The explanation of the first execution with the outcome, events by name. */
function explained(model: MemoryModel, test: Program, outcome: Outcome): string {
  for (const witness of witnesses(test.skeleton)) {
    if (!matches(test, witness, outcome)) continue;
    const found = explain(model, test.skeleton, witness);
    return found === null ? 'allowed' : text(test, found);
  }
  throw new Error('no execution has the outcome');
}

function text({ names }: Program, { axiom, edges }: Explanation): string {
  const name = (event: number): string => [...names].find(([, i]) => i === event)?.[0] ?? `${event}`;
  return `${axiom}: ${edges.map(({ from, to, name: edge }) => `${name(from)} -${edge}-> ${name(to)}`).join(', ')}`;
}

const w = (x: string, name: string, tag: 'once' | 'release' | 'plain' = 'once'): Code => W(x, tag, { name });
const r = (x: string, name: string, tag: 'once' | 'acquire' | 'plain' = 'once'): Code => R(x, tag, { name });

describe('explanations', () => {
  it('happens-before: the fences and the way round', () => {
    const test = program([w('x', 'wx'), F('wmb'), w('y', 'wy')], [r('y', 'a'), F('rmb'), r('x', 'b')]);
    const outcome: Outcome = { reads: { a: 'wy', b: 'init x' } };
    expect(explained(lkmm, test, outcome)).toBe('happens-before: wx -wmb-> wy, wy -rfe-> a, a -rmb-> b, b -fre-> wx');
    expect(explained(tso, test, outcome)).toBe('total-store-order: wx -ppo-> wy, wy -rfe-> a, a -ppo-> b, b -fre-> wx');
    expect(explained(sc, test, outcome)).toBe(
      'sequential-consistency: wx -po-> wy, wy -rfe-> a, a -po-> b, b -fre-> wx',
    );
  });

  it('propagation: strong fences', () => {
    const test = program([w('x', 'wx'), mb, r('y', 'a')], [w('y', 'wy'), mb, r('x', 'b')]);
    expect(explained(lkmm, test, { reads: { a: 'init y', b: 'init x' } })).toBe(
      'propagation: wx -mb-> a, a -fre-> wy, wy -mb-> b, b -fre-> wx',
    );
  });

  it('cumulativity: release, read-modify-write, acquire', () => {
    const test = program([w('x', 'wx'), w('y', 'wy', 'release')], rmw('y', 'once', { name: 'a' }), [
      r('y', 'b', 'acquire'),
      r('x', 'c'),
    ]);
    expect(explained(lkmm, test, { reads: { a: 'wy', b: "a'", c: 'init x' } })).toBe(
      "happens-before: wx -po-rel-> wy, wy -rf-> a, a -rmw-> a', a' -rfe-> b, b -acq-po-> c, c -fre-> wx",
    );
  });

  it('coherence and atomicity', () => {
    const corr = program([w('x', 'wx')], [r('x', 'a'), r('x', 'b')]);
    expect(explained(lkmm, corr, { reads: { a: 'wx', b: 'init x' } })).toBe(
      'coherence: wx -rfe-> a, a -po-loc-> b, b -fre-> wx',
    );
    const torn = program(rmw('x', 'once', { name: 'a' }), w('x', 'wx'));
    expect(explained(lkmm, torn, { reads: { a: 'init x' }, order: [['wx', "a'"]] })).toBe(
      "atomic: a -fre-> wx, wx -coe-> a', a -rmw-> a'",
    );
  });

  it('grace periods: critical sections are crossed backwards', () => {
    const reader = rcu(r('x', 'a'), r('y', 'b'));
    const test = program([w('y', 'wy'), F('sync-rcu', null, { name: 'gp' }), w('x', 'wx')], reader);
    const [lockAt, unlockAt] = ['rcu-lock', 'rcu-unlock'].map((tag) =>
      test.skeleton.events.findIndex((event) => event.tag === tag),
    );
    const named = { ...test, names: new Map([...test.names, ['lock', lockAt], ['unlock', unlockAt]]) };
    const outcome: Outcome = { reads: { a: 'wx', b: 'init y' } };
    expect(explained(lkmm, named, outcome)).toBe(
      'rcu: wy -po-> gp, gp -po-> wx, wx -rfe-> a, a -po-> unlock, unlock -rcu-rscsi-> lock, lock -po-> b, b -fre-> wy',
    );
    const early = program([w('y', 'wy'), sync, w('x', 'wx')], rcu(r('y', 'b'), r('x', 'a')));
    for (const model of [sc, tso]) expect(explained(model, early, outcome)).toMatch(/^grace-period: .*-rcu-rscsi->/);
  });

  it('locks and plain accesses: the pair', () => {
    const nested = program([lock('l'), lock('l')]);
    expect(explained(sc, nested, {})).toMatch(/^lock-nest: \d+ -po-loc-> \d+$/);
    const test = program(
      [w('x', 'wx', 'plain'), w('y', 'wy', 'release')],
      [r('y', 'a', 'acquire'), r('x', 'b', 'plain')],
    );
    expect(explained(lkmm, test, { reads: { a: 'wy', b: 'init x' } })).toBe(
      'plain-coherence: b -fr-> wx, wx -wr-vis-> b',
    );
    const misread = program([lock('l'), unlock('l')], [{ type: 'RL', tag: 'plain', location: 'l', name: 'q' }]);
    expect(explained(lkmm, misread, { reads: { q: 'init l' } })).toBe('lock-values: init l -rf-> q');
  });

  it('are cycles of edges that there are, for whatever is broken', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(programs, (test) => {
        let k = 0;
        for (const witness of witnesses(test.skeleton)) {
          if (++k > 60) break;
          for (const model of [sc, tso, lkmm]) {
            const found = explain(model, test.skeleton, witness);
            if (found === null) continue;
            seen.add(found.axiom);
            check(test, witness, found);
          }
        }
      }),
      { numRuns: 25 },
    );
    expect([...seen]).toEqual(expect.arrayContaining(['coherence', 'sequential-consistency']));
  });
});

const PAIRS = new Set(['lock-nest', 'nested-is-locked', 'unmatched-locks', 'lock-values', 'atomic']);

function check({ skeleton }: Program, witness: Witness, { axiom, edges }: Explanation): void {
  expect(edges.length, axiom).toBeGreaterThan(0);
  if (PAIRS.has(axiom)) return;
  edges.forEach(({ to }, i) => {
    expect(edges[(i + 1) % edges.length].from, axiom).toBe(to);
  });
  const named = namedRelations(skeleton, witness);
  const base: Record<string, keyof typeof named> = { rfe: 'rf', rfi: 'rf', coe: 'co', coi: 'co', fre: 'fr', fri: 'fr' };
  for (const { from, to, name } of edges) {
    // No step is left that stands for others.
    expect(name).not.toBe('prop');
    expect(name).not.toBe('rcu-link');
    const relation = base[name] ?? name;
    if (relation in named) expect(named[relation as keyof typeof named].has(from, to), name).toBe(true);
  }
}

describe('named relations', () => {
  it('of an execution', () => {
    const test = program(
      [srcu('s', 'i', r('x', 'a'), W('y', 'once', { name: 'wy', data: ['a'] })), F('mb'), rcu(w('x', 'wx', 'release'))],
      [lock('l'), rmw('y', 'acquire', { name: 'b' }), unlock('l')],
    );
    const [witness] = witnesses(test.skeleton);
    const named = namedRelations(test.skeleton, witness);
    const at = (name: string): number => test.names.get(name)!;
    expect(named.data.has(at('a'), at('wy'))).toBe(true);
    expect(named.mb.has(at('a'), at('wx'))).toBe(true);
    expect(named['po-rel'].has(at('wy'), at('wx'))).toBe(true);
    expect([...named.rmw.pairs()]).toHaveLength(2);
    expect([...named['rcu-rscs'].pairs()]).toHaveLength(1);
    expect([...named['srcu-rscs'].pairs()]).toHaveLength(1);
    for (const [load, store] of witness.rf.entries()) if (store !== -1) expect(named.rf.has(store, load)).toBe(true);
  });
});
