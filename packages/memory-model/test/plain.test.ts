// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import { lkmm, sc } from '../src/index.js';
import {
  type Code,
  F,
  flags,
  lock,
  mb,
  type Outcome,
  type Program,
  program,
  R,
  rcu,
  rmw,
  sync,
  unlock,
  verdict,
  W,
  witnesses,
} from './program.js';

const races = (test: Program): boolean => flags(lkmm, test).includes('data-race');
/** Whether an execution that the model allows, and in which these loads read those stores, has a data race. */
function racesWhen({ skeleton, names }: Program, reads: Readonly<Record<string, string>>): boolean {
  const checker = lkmm.instantiate(skeleton);
  const from = Object.entries(reads).map(([load, store]) => [names.get(load)!, names.get(store)!] as const);
  return [...witnesses(skeleton)].some(
    (witness) =>
      from.every(([load, store]) => witness.rf[load] === store) &&
      checker.broken(witness) === null &&
      checker.race(witness) !== null,
  );
}
const P = {
  w: (x: string, name = `w${x}`, extra = {}) => W(x, 'plain', { name, ...extra }),
  r: (x: string, name: string, extra = {}) => R(x, 'plain', { name, ...extra }),
};

describe('data races', () => {
  it('two accesses, one of them a store, one of them plain', () => {
    expect(races(program([P.w('x')], [P.r('x', 'a')]))).toBe(true);
    expect(races(program([P.w('x')], [P.w('x', 'v')]))).toBe(true);
    expect(races(program([W('x')], [P.r('x', 'a')]))).toBe(true);
    expect(races(program([P.w('x')], [R('x')]))).toBe(true);
    expect(races(program([W('x')], [R('x')]))).toBe(false);
    expect(races(program([P.r('x', 'a')], [P.r('x', 'b')]))).toBe(false);
    expect(races(program([P.w('x')], [P.w('y')]))).toBe(false);
    expect(races(program([P.w('x'), P.r('x', 'a')]))).toBe(false);
    expect(races(program([rmw('x', 'once')], [P.r('x', 'a')]))).toBe(true);
  });

  it('the pair is named', () => {
    const test = program([W('z'), P.w('x')], [R('z'), P.r('x', 'a')]);
    const checker = lkmm.instantiate(test.skeleton);
    const pairs = new Set([...witnesses(test.skeleton)].map((witness) => String(checker.race(witness))));
    const [store, load] = [test.names.get('wx'), test.names.get('a')];
    expect(pairs).toEqual(new Set([`${store},${load}`, `${load},${store}`]));
  });

  it('locks', () => {
    const under = (name: string, ...inside: Code[]): Code => [lock(name), ...inside, unlock(name)];
    expect(races(program(under('l', P.w('x')), under('l', P.r('x', 'a'), P.w('x', 'v'))))).toBe(false);
    expect(races(program(under('l', P.w('x')), under('m', P.r('x', 'a'))))).toBe(true);
    expect(races(program(under('l', P.w('x')), P.r('x', 'a')))).toBe(true);
  });

  // What is published must be read only when the flag was seen, as the branch of a real program would see to: other executions are left out.
  const published = (publish: Code, look: Code): { race: boolean; stale: string } => {
    const test = program([P.w('x'), publish], [look, P.r('x', 'a')]);
    const checker = lkmm.instantiate(test.skeleton);
    const [set, flag] = [test.names.get('set')!, test.names.get('flag')!];
    let race = false;
    for (const witness of witnesses(test.skeleton))
      if (witness.rf[flag] === set && checker.broken(witness) === null && checker.race(witness) !== null) race = true;
    const outcome: Outcome = { reads: { flag: 'set', a: 'init x' } };
    return { race, stale: verdict(lkmm, test, outcome) };
  };
  const set = W('y', 'once', { name: 'set' });
  const flag = R('y', 'once', { name: 'flag' });

  it('message passing: release or wmb, acquire or rmb', () => {
    const release = W('y', 'release', { name: 'set' });
    const acquire = R('y', 'acquire', { name: 'flag' });
    expect(published(release, acquire)).toEqual({ race: false, stale: 'plain-coherence' });
    expect(published([F('wmb'), set], acquire)).toEqual({ race: false, stale: 'plain-coherence' });
    expect(published(release, [flag, F('rmb')])).toEqual({ race: false, stale: 'plain-coherence' });
    expect(published([mb, set], [flag, mb])).toEqual({ race: false, stale: 'plain-coherence' });
    expect(published(set, acquire)).toEqual({ race: true, stale: 'allowed' });
    expect(published(release, flag)).toEqual({ race: true, stale: 'allowed' });
    expect(published([F('barrier'), set], [flag, F('barrier')])).toEqual({ race: true, stale: 'allowed' });
  });

  it('an address dependency bounds a plain load', () => {
    const release = W('y', 'release', { name: 'set' });
    const test = (addr: string[]): boolean => {
      const made = program([P.w('x'), release], [flag, P.r('x', 'a', { addr })]);
      return racesWhen(made, { flag: 'set' });
    };
    expect(test([])).toBe(true);
    expect(test(['flag'])).toBe(false);
  });

  it('a release is passed on by read-modify-writes', () => {
    const through = (middle: Code): boolean => {
      const made = program(
        [P.w('x'), W('y', 'release', { name: 'set' })],
        [middle],
        [R('y', 'acquire', { name: 'flag' }), P.r('x', 'a')],
      );
      return racesWhen(made, { b: 'set', flag: "b'" });
    };
    expect(through(rmw('y', 'once', { name: 'b' }))).toBe(false);
    expect(through([R('y', 'once', { name: 'b' }), W('y', 'once', { name: "b'" })])).toBe(true);
  });

  it('a plain store that smp_wmb keeps behind is not kept behind as a load: the compiler may read the word first', () => {
    const stores = (between: Code, second: Code): boolean => {
      const made = program(
        [P.w('x'), W('y', 'release', { name: 'set' })],
        [rmw('y', 'once', { name: 'b' }), between, second],
      );
      return racesWhen(made, { b: 'set' });
    };
    expect(stores(F('wmb'), P.w('x', 'v'))).toBe(true);
    expect(stores(F('wmb'), W('x'))).toBe(false);
    expect(stores(mb, P.w('x', 'v'))).toBe(false);
  });

  it('smp_wmb does not hold a plain store back as a load either: the compiler may read the word last', () => {
    const stores = (publish: Code): boolean => {
      const made = program([P.w('x'), publish], [R('y', 'acquire', { name: 'flag' }), W('x')]);
      return racesWhen(made, { flag: 'set' });
    };
    expect(stores([F('wmb'), set])).toBe(true);
    expect(stores(W('y', 'release', { name: 'set' }))).toBe(false);
  });

  it('a grace period keeps a plain store away from the readers before it', () => {
    const test = (wait: Code): boolean => {
      const made = program(rcu(R('p', 'once', { name: 'p' }), P.r('x', 'a', { addr: ['p'] })), [
        W('p', 'once', { name: 'unlink' }),
        wait,
        P.w('x'),
      ]);
      return racesWhen(made, { p: 'init p' }); // The reader got the old pointer.
    };
    expect(test(sync)).toBe(false);
    expect(test(mb)).toBe(true);
    expect(test([])).toBe(true);
  });

  it('SC and TSO know none: they treat plain accesses like marked ones', () => {
    expect(flags(sc, program([P.w('x')], [P.r('x', 'a')]))).toEqual([]);
  });
});
