// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import { lkmm, sc, tso } from '../src/index.js';
import {
  type Code,
  count,
  F,
  failed,
  flags,
  type Instruction,
  lock,
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
  verdict,
  W,
} from './program.js';

const models = [sc, tso, lkmm];
const by = (test: Program, outcome: Outcome): string[] => models.map((model) => verdict(model, test, outcome));
const guaranteed = ['grace-period', 'grace-period', 'rcu'];
const r = (x: string, name: string): Instruction => R(x, 'once', { name });
const w = (x: string, name: string): Instruction => W(x, 'once', { name });

describe('grace periods', () => {
  const seen: Outcome = { reads: { a: 'wx', b: 'init y' } };
  const updater = (grace: Code): Code => [w('y', 'wy'), grace, w('x', 'wx')];

  it('a reader that sees what comes after also sees what came before', () => {
    const test = (reader: Code, grace: Code): Program => program([reader], [updater(grace)]);
    expect(by(test(rcu(r('x', 'a'), r('y', 'b')), sync), seen)).toEqual([
      'sequential-consistency',
      'total-store-order',
      'rcu',
    ]);
    expect(verdict(lkmm, test([r('x', 'a'), r('y', 'b')], sync), seen)).toBe('allowed');
    expect(verdict(lkmm, test(rcu(r('x', 'a'), r('y', 'b')), mb), seen)).toBe('allowed');
    // A second section after the first is as good: the first one ended after the grace period did.
    expect(verdict(lkmm, test([rcu(r('x', 'a')), rcu(r('y', 'b'))], sync), seen)).toBe('rcu');
    expect(verdict(lkmm, test([r('x', 'a'), rcu(r('y', 'b'))], sync), seen)).toBe('rcu');
    expect(verdict(lkmm, test([r('x', 'a'), r('y', 'b'), rcu()], sync), seen)).toBe('allowed');
    expect(verdict(lkmm, test(rcu(rcu(r('x', 'a')), r('y', 'b')), sync), seen)).toBe('rcu');
  });

  it('and under SC and TSO too: a reader does not begin before and end after', () => {
    const test = (reader: Code): Program => program([reader], [updater(sync)]);
    const before: Outcome = { reads: { b: 'init y', a: 'wx' } };
    expect(by(test(rcu(r('y', 'b'), r('x', 'a'))), before)).toEqual(guaranteed);
    expect(by(test([r('y', 'b'), r('x', 'a')]), before)).toEqual(['allowed', 'allowed', 'allowed']);
    expect(by(test([rcu(r('y', 'b')), rcu(r('x', 'a'))]), before)).toEqual(['allowed', 'allowed', 'allowed']);
  });

  it('as many grace periods as critical sections, in any cycle', () => {
    /** A ring: each thread reads the word that the one before wrote, and writes the next. */
    const ring = (...kinds: ('gp' | 'cs')[]): [Program, Outcome] => {
      const n = kinds.length;
      const threads = kinds.map((kind, i) => {
        const read = r(`x${i}`, `r${i}`);
        const write = w(`x${(i + 1) % n}`, `w${(i + 1) % n}`);
        return kind === 'gp' ? [read, sync, write] : rcu(read, write);
      });
      return [program(...threads), { reads: Object.fromEntries(kinds.map((_, i) => [`r${i}`, `w${i}`])) }];
    };
    const of = (...kinds: ('gp' | 'cs')[]): string => verdict(lkmm, ...ring(...kinds));
    expect(of('gp', 'cs')).toBe('rcu');
    expect(of('gp', 'cs', 'cs')).toBe('allowed');
    expect(of('gp', 'gp', 'cs')).toBe('rcu');
    expect(of('gp', 'gp', 'cs', 'cs')).toBe('rcu');
    expect(of('gp', 'cs', 'gp', 'cs')).toBe('rcu');
    expect(of('gp', 'cs', 'cs', 'gp', 'cs')).toBe('allowed');
    expect(of('gp', 'gp')).toBe('happens-before');
    expect(of('cs', 'cs')).toBe('allowed');
  });

  it('chains of several domains, none of which is complete inside another', () => {
    const domains = [null, 's', 't'];
    const ring = (waits: readonly (string | null)[]): string => {
      const threads = domains.flatMap((domain, d): Code[] => {
        const [i, j, k] = [2 * d, 2 * d + 1, (2 * d + 2) % 6];
        const grace = waits[d] === null ? sync : F('sync-srcu', waits[d]);
        const inside = [r(`x${j}`, `r${j}`), w(`x${k}`, `w${k}`)];
        return [
          [r(`x${i}`, `r${i}`), grace, w(`x${j}`, `w${j}`)],
          domain === null ? rcu(...inside) : srcu(domain, `i${d}`, ...inside),
        ];
      });
      const reads = Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`r${i}`, `w${i}`]));
      return verdict(lkmm, program(...threads), { reads });
    };
    expect(ring([null, 's', 't'])).toBe('rcu');
    expect(ring([null, 's', 's'])).toBe('allowed');
    expect(ring([null, null, 't'])).toBe('allowed');
  });

  it('waiting inside a reader is a deadlock: nothing is consistent', () => {
    expect(models.map((model) => count(model, program(rcu(sync))))).toEqual([0, 0, 0]);
    expect(models.map((model) => count(model, program(rcu(mb), sync)))).toEqual([1, 1, 1]);
  });

  it('SRCU: the same, for one srcu_struct', () => {
    const test = (domain: string, grace: string): Program =>
      program([srcu(domain, 's', r('y', 'b'), r('x', 'a'))], [updater(F('sync-srcu', grace))]);
    expect(by(test('s', 's'), seen)).toEqual(guaranteed);
    expect(by(test('s', 't'), seen)).toEqual(['allowed', 'allowed', 'allowed']);
    expect(by(program([rcu(r('y', 'b'), r('x', 'a'))], [updater(F('sync-srcu', 's'))]), seen)).toEqual([
      'allowed',
      'allowed',
      'allowed',
    ]);
  });

  it('SRCU: the unlock is found by its value, through memory and in another thread', () => {
    const enter = F('srcu-lock', 's', { name: 's' });
    const leave = (data: string[]): Instruction => F('srcu-unlock', 's', { data, name: 'u' });
    const handed = (data: string[]): Program =>
      program(
        [enter, r('y', 'b'), W('t', 'once', { name: 'wt', data })],
        [R('t', 'once', { name: 'rt' }), r('x', 'a'), leave(['rt'])],
        [w('y', 'wy'), F('sync-srcu', 's'), w('x', 'wx')],
      );
    const outcome = { reads: { ...seen.reads, rt: 'wt' } };
    expect(verdict(lkmm, handed(['s']), outcome)).toBe('rcu');
    expect(verdict(lkmm, handed([]), outcome)).toBe('allowed');
  });
});

describe('locks', () => {
  const section = (name: string, ...inside: Code[]): Code => [lock(name), ...inside, unlock(name)];
  it('exclude each other and publish what was done under them', () => {
    const test = program(section('l', W('x'), W('y', 'once', { name: 'wy' })), section('l', r('y', 'a'), r('x', 'b')));
    expect(by(test, { reads: { a: 'wy', b: 'init x' } })).toEqual([
      'sequential-consistency',
      'total-store-order',
      'happens-before',
    ]);
    expect(models.map((model) => count(model, test))).toEqual([2, 2, 2]);
    const three = program(...Array.from({ length: 3 }, () => section('l')));
    expect(models.map((model) => count(model, three))).toEqual([6, 6, 6]);
  });

  it('are no full barrier, but for smp_mb__after_spinlock and smp_mb__after_unlock_lock', () => {
    const sb = (left: Code): Program => program([W('x'), left, r('y', 'a')], [W('y'), mb, r('x', 'b')]);
    const both: Outcome = { reads: { a: 'init y', b: 'init x' } };
    expect(verdict(lkmm, sb(section('l')), both)).toBe('allowed');
    expect(verdict(tso, sb(section('l')), both)).toBe('total-store-order');
    expect(verdict(lkmm, sb([lock('l'), F('after-spinlock'), unlock('l')]), both)).toBe('propagation');
    expect(verdict(lkmm, sb([section('l'), section('m')]), both)).toBe('allowed');
    expect(verdict(lkmm, sb([section('l'), lock('m'), F('after-unlock-lock'), unlock('m')]), both)).toBe('propagation');
  });

  it('an unlock and a lock order like release and acquire, also of one thread and of two locks', () => {
    const mp = (between: Code): Program =>
      program([W('x'), between, W('y', 'once', { name: 'wy' })], [r('y', 'a'), F('rmb'), r('x', 'b')]);
    const stale: Outcome = { reads: { a: 'wy', b: 'init x' } };
    expect(verdict(lkmm, mp(section('l')), stale)).toBe('allowed');
    expect(verdict(lkmm, mp([section('l'), section('m')]), stale)).toBe('happens-before');
  });

  it('smp_mb__after_unlock_lock is full across threads', () => {
    const test = (fence: Code): Program =>
      program(
        [W('x'), section('l', r('y', 'a'))],
        [lock('l'), fence, r('z', 'c'), unlock('l')],
        [W('z', 'once', { name: 'wz' }), mb, r('x', 'b')],
      );
    // The second critical section comes after the first: its LKR reads from the first UL.
    const late = (fence: Code): string => {
      const made = test(fence);
      const unlocked = made.skeleton.events.findIndex(({ type }) => type === 'UL');
      const locked = made.skeleton.events.findLastIndex(({ type }) => type === 'LKR');
      const names = new Map([...made.names, ['u', unlocked], ['k', locked]]);
      return verdict(lkmm, { ...made, names }, { reads: { k: 'u', c: 'init z', b: 'init x' } });
    };
    expect(late([])).toBe('allowed');
    expect(late(F('after-unlock-lock'))).toBe('propagation');
  });

  it('what a thread can never get is no execution', () => {
    const dead = (test: Program): (string | null)[] =>
      models.map((model) => (count(model, test) === 0 ? 'none' : 'some'));
    expect(dead(program([lock('l'), lock('l'), unlock('l')]))).toEqual(['none', 'none', 'none']);
    expect(dead(program([lock('l')], [lock('l')]))).toEqual(['none', 'none', 'none']);
    expect(dead(program([lock('l')], [lock('l'), unlock('l')]))).toEqual(['some', 'some', 'some']);
    const islocked = (type: 'RL' | 'RU' | 'LF'): Instruction => ({ type, tag: 'plain', location: 'l', name: 'q' });
    expect(dead(program([lock('l'), islocked('RU'), unlock('l')]))).toEqual(['none', 'none', 'none']);
    expect(models.map((model) => count(model, program([lock('l'), islocked('RL'), unlock('l')])))).toEqual([1, 1, 1]);
    expect(models.map((model) => count(model, program([lock('l'), islocked('LF'), unlock('l')])))).toEqual([1, 1, 1]);
    expect(dead(program([islocked('RL')]))).toEqual(['none', 'none', 'none']);
    // From another thread: the initial store or the unlock, the lock at any time.
    expect(count(lkmm, program([lock('l'), unlock('l')], [islocked('RU')]))).toBe(2);
    expect(count(lkmm, program([lock('l'), unlock('l')], [islocked('RL')]))).toBe(1);
    // After one's own critical section a trylock may fail only for another thread's.
    expect(dead(program([lock('l'), unlock('l'), islocked('LF')]))).toEqual(['none', 'none', 'none']);
  });
});

describe('flags', () => {
  it.each<[string, string[], Program]>([
    ['a matched reader', [], program(rcu(r('x', 'a')))],
    ['a lock without unlock', ['unmatched-rcu-lock'], program([F('rcu-lock')])],
    ['an unlock without lock', ['unmatched-rcu-unlock'], program(rcu(), F('rcu-unlock'))],
    ['unlock before lock', ['unmatched-rcu-lock', 'unmatched-rcu-unlock'], program([F('rcu-unlock'), F('rcu-lock')])],
    ['a matched SRCU reader', [], program(srcu('s', 'i'))],
    [
      'an SRCU unlock with another value',
      ['unmatched-srcu-lock', 'unmatched-srcu-unlock'],
      program([F('srcu-lock', 's'), F('srcu-unlock', 's')]),
    ],
    [
      'an SRCU unlock of another srcu_struct',
      ['unmatched-srcu-lock', 'unmatched-srcu-unlock'],
      program([F('srcu-lock', 's', { name: 'i' }), F('srcu-unlock', 't', { data: ['i'] })]),
    ],
    [
      'two SRCU unlocks for one lock',
      ['multiple-srcu-matches'],
      program([srcu('s', 'i'), F('srcu-unlock', 's', { data: ['i'] })]),
    ],
    [
      'an SRCU unlock given a changed value',
      ['srcu-bad-value-match'],
      program([F('srcu-lock', 's', { name: 'i' }), F('srcu-unlock', 's', { data: ['i'], value: 1 })]),
    ],
    ['synchronize_srcu in an RCU reader', ['invalid-sleep'], program(rcu(F('sync-srcu', 's')))],
    ['an ordinary access to a lock', ['mixed-lock-accesses'], program([lock('l'), unlock('l')], [r('l', 'a')])],
    ['an unlock without lock', ['unmatched-unlock'], program([unlock('l')])],
    ['halves of a lock acquisition', ['unpaired-LKW'], program([{ type: 'LKW', tag: 'plain', location: 'l' }])],
    ['a lock word read and not taken', ['unpaired-LKR'], program([{ type: 'LKR', tag: 'plain', location: 'l' }])],
  ])('%s: %j', (_, expected, test) => {
    expect(flags(lkmm, test)).toEqual(expected);
    expect(flags(tso, test)).toEqual(expected);
  });

  it('a plain store and a marked access that nothing keeps apart', () => {
    const test = (between: Code): Program => program([W('x', 'plain'), between, R('x', 'once')]);
    expect(flags(lkmm, test([]))).toEqual(['mixed-accesses']);
    for (const tag of ['barrier', 'rmb', 'wmb', 'mb', 'rcu-unlock', 'before-atomic', 'after-atomic'] as const)
      expect(flags(lkmm, test(F(tag)))).not.toContain('mixed-accesses');
    expect(flags(lkmm, test(F('after-spinlock')))).toContain('mixed-accesses');
    expect(flags(lkmm, test(failed('y', 'mb')))).toEqual(['mixed-accesses']);
    expect(flags(lkmm, test(failed('y', 'acquire')))).toEqual(['mixed-accesses']);
    expect(flags(lkmm, test(rmw('y', 'acquire')))).toEqual([]);
    expect(flags(lkmm, test(rmw('y', 'once')))).toEqual(['mixed-accesses']);
    expect(flags(lkmm, program([W('x', 'plain'), R('x', 'plain')]))).toEqual([]);
    expect(flags(lkmm, program([R('x', 'plain'), R('x', 'once')]))).toEqual([]);
    expect(flags(lkmm, program([R('x', 'acquire'), W('x', 'plain')]))).toEqual([]);
    expect(flags(lkmm, program([W('x', 'plain'), W('x', 'release')]))).toEqual([]);
  });
});
