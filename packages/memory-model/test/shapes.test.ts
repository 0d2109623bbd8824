// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import { lkmm, sc, tso } from '../src/index.js';
import { type Code, F, failed, mb, type Outcome, type Program, program, R, rmw, verdict, W } from './program.js';

const rmb = F('rmb');
const wmb = F('wmb');
const none: Code = [];
const models = [sc, tso, lkmm];
const by = (test: Program, outcome: Outcome): string[] => models.map((model) => verdict(model, test, outcome));
const weak = (test: Program, outcome: Outcome): string => verdict(lkmm, test, outcome);

const SC = 'sequential-consistency';
const TSO = 'total-store-order';
const HB = 'happens-before';
const PB = 'propagation';

describe('message passing', () => {
  const stale: Outcome = { reads: { flag: 'set', data: 'init x' } };
  const set = W('y', 'once', { name: 'set' });
  const flag = R('y', 'once', { name: 'flag' });
  const data = R('x', 'once', { name: 'data' });
  const mp = (left: Code, right: Code, publish: Code = set, look: Code = flag, use: Code = data): Program =>
    program([W('x'), left, publish], [look, right, use]);

  it('is weak without ordering, and on either side alone', () => {
    expect(by(mp(none, none), stale)).toEqual([SC, TSO, 'allowed']);
    expect(weak(mp(wmb, none), stale)).toBe('allowed');
    expect(weak(mp(none, rmb), stale)).toBe('allowed');
    expect(weak(mp(rmb, rmb), stale)).toBe('allowed');
    expect(weak(mp(wmb, wmb), stale)).toBe('allowed');
    expect(weak(mp(F('barrier'), F('barrier')), stale)).toBe('allowed');
  });

  it.each<[string, Program]>([
    ['wmb, rmb', mp(wmb, rmb)],
    ['mb, mb', mp(mb, mb)],
    ['release, acquire', mp(none, none, W('y', 'release', { name: 'set' }), R('y', 'acquire', { name: 'flag' }))],
    ['wmb, address', mp(wmb, none, set, flag, R('x', 'once', { name: 'data', addr: ['flag'] }))],
    ['synchronize_rcu as a fence', mp(F('sync-rcu'), rmb)],
    ['synchronize_srcu as a fence', mp(F('sync-srcu', 's'), rmb)],
    ['wmb, xchg between', mp(wmb, rmw('z'))],
    ['wmb, xchg_acquire as the flag', mp(wmb, none, set, rmw('y', 'acquire', { name: 'flag' }))],
    ['xchg_release as the flag, rmb', mp(none, rmb, rmw('y', 'release', { name: 'published' }), flag)],
    ['before-atomic, rmb', mp([F('before-atomic'), rmw('z', 'noreturn')], rmb)],
    ['after-atomic, rmb', mp([rmw('z', 'noreturn'), F('after-atomic')], rmb)],
    ['before-atomic and a cmpxchg that fails, rmb', mp([F('before-atomic'), failed('z')], rmb)],
    ['smp_store_mb', mp([W('z', 'mb')], rmb)],
  ])('%s: forbidden', (_, test) => {
    const outcome = test.names.has('published') ? { reads: { flag: "published'", data: 'init x' } } : stale;
    expect(by(test, outcome)).toEqual([SC, TSO, HB]);
  });

  it.each<[string, Program]>([
    ['control', mp(wmb, none, set, flag, R('x', 'once', { name: 'data', ctrl: ['flag'] }))],
    ['a cmpxchg that fails', mp(wmb, failed('z'))],
    ['an xchg_relaxed', mp(wmb, rmw('z', 'once'))],
    ['an xchg_release', mp(wmb, rmw('z', 'release'))],
    ['after-atomic without an atomic', mp(wmb, F('after-atomic'))],
    ['before-atomic without an atomic', mp(wmb, F('before-atomic'))],
    ['after-spinlock without a lock', mp(wmb, F('after-spinlock'))],
    ['after-unlock-lock without locks', mp(wmb, F('after-unlock-lock'))],
    ['a cmpxchg_acquire that fails, as the flag', mp(wmb, none, set, failed('y', 'acquire', { name: 'flag' }))],
    ['atomic_inc as the flag, rmb: noreturn', mp(wmb, rmb, set, rmw('y', 'noreturn', { name: 'flag' }))],
  ])('%s between the loads: allowed', (_, test) => {
    expect(weak(test, stale)).toBe('allowed');
  });
});

describe('store buffering', () => {
  const both: Outcome = { reads: { a: 'init y', b: 'init x' } };
  const sb = (left: Code, right: Code, first: Code = W('x'), second: Code = W('y')): Program =>
    program([first, left, R('y', 'once', { name: 'a' })], [second, right, R('x', 'once', { name: 'b' })]);

  it('needs a full barrier on both sides', () => {
    expect(by(sb(none, none), both)).toEqual([SC, 'allowed', 'allowed']);
    expect(by(sb(mb, none), both)).toEqual([SC, 'allowed', 'allowed']);
    expect(by(sb([rmb, wmb], [rmb, wmb]), both)).toEqual([SC, 'allowed', 'allowed']);
    expect(by(sb(mb, mb), both)).toEqual([SC, TSO, PB]);
    expect(by(sb(mb, F('sync-rcu')), both)).toEqual([SC, TSO, PB]);
  });

  it('read-modify-writes: fully ordered ones everywhere, others on x86 alone', () => {
    expect(by(sb(rmw('p'), rmw('q')), both)).toEqual([SC, TSO, PB]);
    for (const order of ['once', 'acquire', 'release', 'noreturn'] as const)
      expect(by(sb(rmw('p', order), rmw('q', order)), both)).toEqual([SC, TSO, 'allowed']);
    expect(by(sb(failed('p'), failed('q')), both)).toEqual([SC, TSO, 'allowed']);
    expect(by(sb([rmw('p', 'noreturn'), F('after-atomic')], [F('before-atomic'), rmw('q', 'noreturn')]), both)).toEqual(
      [SC, TSO, PB],
    );
    expect(by(sb(none, none, rmw('x'), rmw('y')), both)).toEqual([SC, TSO, PB]);
  });

  it('smp_store_mb is a full barrier after its store', () => {
    expect(by(sb(none, none, W('x', 'mb'), W('y', 'mb')), both)).toEqual([SC, TSO, PB]);
  });

  it('srcu_read_unlock is one with smp_mb__after_srcu_read_unlock', () => {
    const section = (fence: Code): Code => [F('srcu-lock', 's'), F('srcu-unlock', 's'), fence];
    expect(weak(sb(section(none), mb), both)).toBe('allowed');
    expect(by(sb(section(F('after-srcu-read-unlock')), mb), both)).toEqual([SC, TSO, PB]);
  });
});

describe('load buffering', () => {
  const both: Outcome = { reads: { a: 'w', b: 'v' } };
  const lb = (
    left: Partial<Record<'addr' | 'data' | 'ctrl', string[]>>,
    right: Partial<Record<'addr' | 'data' | 'ctrl', string[]>>,
  ): Program =>
    program(
      [R('x', 'once', { name: 'a' }), W('y', 'once', { name: 'v', ...left })],
      [R('y', 'once', { name: 'b' }), W('x', 'once', { name: 'w', ...right })],
    );

  it('is allowed without dependencies, and with one', () => {
    expect(by(lb({}, {}), both)).toEqual([SC, TSO, 'allowed']);
    expect(weak(lb({ data: ['a'] }, {}), both)).toBe('allowed');
  });
  it.each(['addr', 'data', 'ctrl'] as const)('%s dependencies forbid it', (kind) => {
    expect(by(lb({ [kind]: ['a'] }, { [kind]: ['b'] }), both)).toEqual([SC, TSO, HB]);
  });
  it('dependencies are carried through memory', () => {
    const through = (tag: 'plain' | 'once', bound: 'data' | 'addr'): Program =>
      program(
        [
          R('x', 'once', { name: 'a' }),
          W('t', tag, { [bound]: ['a'], name: 's' }),
          R('t', tag, { name: 'l' }),
          W('y', 'once', { name: 'v', data: ['l'] }),
        ],
        [R('y', 'once', { name: 'b' }), mb, W('x', 'once', { name: 'w' })],
      );
    const outcome = { reads: { ...both.reads, l: 's' } };
    expect(weak(through('plain', 'data'), outcome)).toBe(HB);
    expect(weak(through('once', 'data'), outcome)).toBe(HB);
    // An address does not go into the value; but a marked store that depends on it is read later than it.
    expect(weak(through('plain', 'addr'), outcome)).toBe('allowed');
    expect(weak(through('once', 'addr'), outcome)).toBe(HB);
  });
  it('smp_wmb after a plain store to a loaded address orders what comes after behind the load', () => {
    const test = (address: string[], tag: 'plain' | 'once'): Program =>
      program(
        [R('x', 'once', { name: 'a' }), W('t', tag, { addr: address }), wmb, W('y', 'once', { name: 'v' })],
        [R('y', 'once', { name: 'b' }), mb, W('x', 'once', { name: 'w' })],
      );
    expect(weak(test(['a'], 'plain'), both)).toBe(HB);
    expect(weak(test([], 'plain'), both)).toBe('allowed');
    expect(weak(test(['a'], 'once'), both)).toBe(HB);
  });
  it('acquire and release forbid it too', () => {
    const test = program(
      [R('x', 'acquire', { name: 'a' }), W('y', 'once', { name: 'v' })],
      [R('y', 'once', { name: 'b' }), W('x', 'release', { name: 'w' })],
    );
    expect(weak(test, both)).toBe(HB);
  });
});

describe('three and four threads', () => {
  it('IRIW: full barriers between the loads, nothing less', () => {
    const iriw = (between: Code): Program =>
      program(
        [W('x', 'once', { name: 'wx' })],
        [R('x', 'once', { name: 'a' }), between, R('y', 'once', { name: 'b' })],
        [W('y', 'once', { name: 'wy' })],
        [R('y', 'once', { name: 'c' }), between, R('x', 'once', { name: 'd' })],
      );
    const outcome: Outcome = { reads: { a: 'wx', b: 'init y', c: 'wy', d: 'init x' } };
    expect(by(iriw(none), outcome)).toEqual([SC, TSO, 'allowed']);
    expect(weak(iriw(rmb), outcome)).toBe('allowed');
    expect(by(iriw(mb), outcome)).toEqual([SC, TSO, PB]);
  });

  it('WRC: cumulativity of release, not of wmb', () => {
    const wrc = (middle: Code): Program =>
      program(
        [W('x', 'once', { name: 'wx' })],
        [R('x', 'once', { name: 'a' }), middle],
        [R('y', 'acquire', { name: 'b' }), R('x', 'once', { name: 'c' })],
      );
    const outcome: Outcome = { reads: { a: 'wx', b: 'wy', c: 'init x' } };
    expect(weak(wrc(W('y', 'release', { name: 'wy' })), outcome)).toBe(HB);
    expect(weak(wrc([wmb, W('y', 'once', { name: 'wy' })]), outcome)).toBe('allowed');
    expect(weak(wrc(W('y', 'once', { name: 'wy', data: ['a'] })), outcome)).toBe('allowed');
  });

  it('ISA2: release and acquire along a chain', () => {
    const isa2 = (tag: 'once' | 'release'): Program =>
      program(
        [W('x'), W('y', tag, { name: 'wy' })],
        [R('y', 'once', { name: 'a' }), W('z', tag, { name: 'wz' })],
        [R('z', 'acquire', { name: 'b' }), R('x', 'once', { name: 'c' })],
      );
    const outcome: Outcome = { reads: { a: 'wy', b: 'wz', c: 'init x' } };
    expect(by(isa2('once'), outcome)).toEqual([SC, TSO, 'allowed']);
    expect(weak(isa2('release'), outcome)).toBe(HB);
  });

  it('a release is passed on by the read-modify-writes that build on it', () => {
    const sequence = (middle: Code): Program =>
      program(
        [W('x'), W('y', 'release', { name: 'wy' })],
        [middle],
        [R('y', 'acquire', { name: 'b' }), R('x', 'once', { name: 'c' })],
      );
    const relaxed = sequence(rmw('y', 'once', { name: 'a' }));
    const outcome: Outcome = { reads: { a: 'wy', b: "a'", c: 'init x' } };
    expect(weak(relaxed, outcome)).toBe(HB);
    const separate = sequence([R('y', 'once', { name: 'a' }), W('y', 'once', { name: "a'" })]);
    expect(weak(separate, outcome)).toBe('allowed');
  });
});

describe('coherence order', () => {
  const two = (name: string, x: string): Code => W(x, 'once', { name });
  it('R: a store against a load', () => {
    const r = (left: Code, right: Code): Program =>
      program([two('wx', 'x'), left, two('y1', 'y')], [two('y2', 'y'), right, R('x', 'once', { name: 'a' })]);
    const outcome: Outcome = { reads: { a: 'init x' }, order: [['y1', 'y2']] };
    expect(by(r(none, none), outcome)).toEqual([SC, 'allowed', 'allowed']);
    expect(by(r(wmb, mb), outcome)).toEqual([SC, TSO, 'allowed']);
    expect(by(r(mb, mb), outcome)).toEqual([SC, TSO, PB]);
  });
  it('S: a store after what was read', () => {
    const s = (left: Code, extra: { data?: string[] }): Program =>
      program(
        [two('x1', 'x'), left, two('wy', 'y')],
        [R('y', 'once', { name: 'a' }), W('x', 'once', { name: 'x2', ...extra })],
      );
    const outcome: Outcome = { reads: { a: 'wy' }, order: [['x2', 'x1']] };
    expect(weak(s(wmb, {}), outcome)).toBe('allowed');
    expect(by(s(wmb, { data: ['a'] }), outcome)).toEqual([SC, TSO, HB]);
  });
  it('2+2W', () => {
    const test = (between: Code): Program =>
      program([two('x1', 'x'), between, two('y1', 'y')], [two('y2', 'y'), between, two('x2', 'x')]);
    const outcome: Outcome = {
      order: [
        ['y1', 'y2'],
        ['x2', 'x1'],
      ],
    };
    expect(by(test(none), outcome)).toEqual([SC, TSO, 'allowed']);
    expect(weak(test(wmb), outcome)).toBe('allowed');
    expect(weak(test(mb), outcome)).toBe(PB);
  });
  it.each<[string, Program, Outcome]>([
    [
      'CoRR',
      program([W('x', 'once', { name: 'w' })], [R('x', 'once', { name: 'a' }), R('x', 'once', { name: 'b' })]),
      { reads: { a: 'w', b: 'init x' } },
    ],
    [
      'CoRW',
      program([R('x', 'once', { name: 'a' }), W('x', 'once', { name: 'w' })], [W('x', 'once', { name: 'v' })]),
      { reads: { a: 'v' }, order: [['w', 'v']] },
    ],
    [
      'CoWR',
      program([W('x', 'once', { name: 'w' }), R('x', 'once', { name: 'a' })], [W('x', 'once', { name: 'v' })]),
      { reads: { a: 'v' }, order: [['v', 'w']] },
    ],
    ['CoWW', program([W('x', 'once', { name: 'w' }), W('x', 'once', { name: 'v' })]), { order: [['v', 'w']] }],
    [
      'a load from the future of its thread',
      program([R('x', 'once', { name: 'a' }), W('x', 'once', { name: 'w' })]),
      { reads: { a: 'w' } },
    ],
  ])('%s breaks coherence', (_, test, outcome) => {
    expect(by(test, outcome)).toEqual([SC, 'coherence', 'coherence']);
  });
  it('read-modify-writes are atomic', () => {
    const test = program(rmw('x', 'once', { name: 'a' }), W('x', 'once', { name: 'w' }));
    expect(by(test, { reads: { a: 'init x' }, order: [['w', "a'"]] })).toEqual(['atomic', 'atomic', 'atomic']);
    expect(by(test, { reads: { a: 'w' } })).toEqual(['allowed', 'allowed', 'allowed']);
    expect(
      weak(program(rmw('x', 'mb', { name: 'a' }), rmw('x', 'mb', { name: 'b' })), {
        reads: { a: 'init x', b: 'init x' },
      }),
    ).toBe('atomic');
  });
});
