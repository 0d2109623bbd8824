// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import { elaborate } from '../src/elaborate.js';
import type { Planned, Segment } from '../src/elaborate-event.js';
import { MACROS } from '../src/macros.js';
import { finalStates } from '../src/output.js';
import { parseLitmus } from '../src/parse.js';
import { solve } from '../src/solve.js';

const names = Object.keys(MACROS);

/** `READ_ONCE(*x)`, with numbers that tell v and w apart. */
function callOf(name: string): string {
  const values: Readonly<Record<string, string>> = { x: 'x', '*x': '*x', v: '2', w: '3' };
  return `${name}(${MACROS[name].parameters.map((parameter) => values[parameter]).join(', ')})`;
}

const one = (body: string, initial = ''): string =>
  `C one\n{ ${initial} }\nP0(int *x, int *y, int *z)\n{\n${body}\n}\nlocations [x; 0:r0; 0:r1]\nexists (x=0)\n`;

/** Events of one path, the arms of each branch as `{ ... | ... }`. */
function path(segment: Segment): string {
  const events = segment.events.map(({ type, tag }) => `${type}[${tag}]`);
  const { end, becomes } = segment;
  const became = becomes === null ? [] : [`${becomes.failed ? 'failed ' : ''}${becomes.type}[${becomes.tag}]:`];
  const arms = end.kind === 'branch' ? [`{ ${end.arms.map(path).join(' | ')} }`] : [];
  return [...became, ...events, ...arms].join(' ');
}

const eventsOf = (call: string): string => path(elaborate(parseLitmus(one(`${call};`)), 2).threads[0]);

/** What linux-kernel.def says, worked out from the name. */
function expected(name: string): string {
  const ordering = /_(acquire|release|relaxed)$/.exec(name)?.[1] ?? 'mb';
  const tags = {
    mb: ['mb', 'mb'],
    acquire: ['acquire', 'once'],
    release: ['once', 'release'],
    relaxed: ['once', 'once'],
  };
  const [load, store] = tags[ordering as keyof typeof tags];
  if (/^(atomic_)?(cmp)?xchg|return|fetch|_test|negative/.test(name)) {
    if (!name.includes('cmpxchg')) return `R[${load}] W[${store}]`;
    return `R[once] { R[${load}]: W[${store}] | failed R[once]: }`;
  }
  return 'R[noreturn] W[noreturn]';
}

/** Those that are not plain read-modify-writes. */
const OTHERS: Readonly<Record<string, string>> = {
  READ_ONCE: 'R[once]',
  WRITE_ONCE: 'W[once]',
  smp_load_acquire: 'R[acquire]',
  smp_store_release: 'W[release]',
  rcu_dereference: 'R[once]',
  rcu_assign_pointer: 'W[release]',
  smp_store_mb: 'W[once] F[mb]',
  smp_mb: 'F[mb]',
  smp_rmb: 'F[rmb]',
  smp_wmb: 'F[wmb]',
  smp_mb__before_atomic: 'F[before-atomic]',
  smp_mb__after_atomic: 'F[after-atomic]',
  smp_mb__after_spinlock: 'F[after-spinlock]',
  smp_mb__after_unlock_lock: 'F[after-unlock-lock]',
  smp_mb__after_srcu_read_unlock: 'F[after-srcu-read-unlock]',
  barrier: 'F[barrier]',
  spin_lock: 'LKR[acquire] LKW[once]',
  spin_unlock: 'UL[release]',
  spin_trylock: 'LF[once] {  | LKR[acquire]: LKW[once] }',
  spin_is_locked: 'RL[once]',
  rcu_read_lock: 'F[rcu-lock]',
  rcu_read_unlock: 'F[rcu-unlock]',
  synchronize_rcu: 'F[sync-rcu]',
  synchronize_rcu_expedited: 'F[sync-rcu]',
  srcu_read_lock: 'R[srcu-lock]',
  srcu_read_unlock: 'W[srcu-unlock]',
  srcu_down_read: 'R[srcu-lock]',
  srcu_up_read: 'W[srcu-unlock]',
  synchronize_srcu: 'F[sync-srcu]',
  synchronize_srcu_expedited: 'F[sync-srcu]',
  atomic_read: 'R[once]',
  atomic_set: 'W[once]',
  atomic_read_acquire: 'R[acquire]',
  atomic_set_release: 'W[release]',
  atomic_add_unless: 'R[once] { R[mb]: W[mb] | failed R[once]: }',
};

describe('primitives', () => {
  it.each(names)('%s makes the events that linux-kernel.def says', (name) => {
    expect(eventsOf(callOf(name))).toBe(OTHERS[name] ?? expected(name));
  });

  it.each(names.filter((name) => MACROS[name].does === 'modify'))(
    '%s computes what its name says, and returns it',
    (name) => {
      const before = 6n;
      const by = /_(inc|dec)(_|$)/.test(name) ? 1n : 2n;
      const operations: readonly [RegExp, (old: bigint) => bigint][] = [
        [/add|inc/, (old) => old + by],
        [/sub|dec/, (old) => old - by],
        [/andnot/, (old) => old & ~by],
        [/and(?!_test)/, (old) => old & by],
        [/xor/, (old) => old ^ by],
        [/or/, (old) => old | by],
      ];
      const after = operations.find(([pattern]) => pattern.test(name))?.[1](before) ?? 0n;
      const returned = name.includes('fetch')
        ? before
        : name.includes('return')
          ? after
          : name.includes('_and_test')
            ? BigInt(after === 0n)
            : name.includes('negative')
              ? BigInt(after < 0n)
              : null;
      const statement = returned === null ? `${callOf(name)};` : `r0 = ${callOf(name)};`;
      const outcome = solve(parseLitmus(one(`int r0; int r1;\n${statement}`, `x=${before};`)));
      expect(finalStates(outcome)).toEqual([`0:r0=${returned ?? 0n}; 0:r1=0; [x]=${after};`]);
    },
  );

  it.each([
    ['atomic_dec_and_test(x)', 1, '0:r0=1; 0:r1=0; [x]=0;'],
    ['atomic_add_negative(-3, x)', 2, '0:r0=1; 0:r1=0; [x]=-1;'],
    ['xchg(x, 7)', 2, '0:r0=2; 0:r1=0; [x]=7;'],
    ['cmpxchg(x, 2, 7)', 2, '0:r0=2; 0:r1=0; [x]=7;'],
    ['cmpxchg(x, 3, 7)', 2, '0:r0=2; 0:r1=0; [x]=2;'],
    ['atomic_add_unless(x, 5, 2)', 2, '0:r0=0; 0:r1=0; [x]=2;'],
    ['atomic_add_unless(x, 5, 3)', 2, '0:r0=1; 0:r1=0; [x]=7;'],
    ['srcu_read_lock(x)', 0, '0:r0=0; 0:r1=0; [x]=0;'],
  ])('r0 = %s from %d ends in %s', (call, before, state) => {
    expect(finalStates(solve(parseLitmus(one(`r0 = ${call};`, `x=${before};`))))).toEqual([state]);
  });

  it('only full barriers keep a store before a later load', () => {
    // Store buffering with the primitive between the store and the load of both threads.
    const strong = names.filter((name) => {
      const call = /^srcu_(read_unlock|up_read)$/.test(name) ? `r1 = srcu_read_lock(x);\n${name}(x, r1)` : callOf(name);
      if (/spin_unlock/.test(name)) return false;
      const release = /spin_(lock|trylock)/.test(name) ? 'spin_unlock(x);' : '';
      const guarded = name === 'spin_trylock' ? `r1 = ${call};\nif (r1) { spin_unlock(x); }` : `${call};\n${release}`;
      const thread = (number: number, mine: string, other: string): string =>
        `P${number}(int *${mine}, int *${other}, int *x${number})\n{\nint *x = x${number};\nWRITE_ONCE(*${mine}, 1);\n${guarded}\nr0 = READ_ONCE(*${other});\n}\n`;
      const source = `C sb\n{ x0=2; x1=2; }\n${thread(0, 'y', 'z')}${thread(1, 'z', 'y')}exists (0:r0=0 /\\ 1:r0=0)\n`;
      return solve(parseLitmus(name.startsWith('spin') ? source.replace('x0=2; x1=2;', '') : source)).positive === 0;
    });
    const full = names.filter(
      (name) =>
        ['smp_mb', 'smp_store_mb'].includes(name) ||
        /^synchronize/.test(name) ||
        (expected(name).startsWith('R[mb]') && OTHERS[name] === undefined) ||
        name === 'cmpxchg' ||
        name === 'atomic_cmpxchg' ||
        name === 'atomic_add_unless',
    );
    expect(strong).toEqual(full);
  });
});

describe('dependencies', () => {
  const names = (events: readonly Planned[]): string =>
    events
      .map(({ address }) => (address?.kind === 'value' && typeof address.value !== 'bigint' ? address.value.base : '?'))
      .join();

  /** The dependencies of the last event of the thread, on whatever path it is. */
  function last(body: string): string {
    const segments: Segment[] = [elaborate(parseLitmus(one(body)), 2).threads[0]];
    for (const { end } of segments) if (end.kind === 'branch') segments.push(...end.arms);
    const event = segments.flatMap(({ events }) => events).at(-1) as Planned;
    return `addr ${names(event.addr)}; data ${names(event.data)}; ctrl ${names(event.ctrl)}`;
  }

  it.each([
    ['a value through registers', 'r0 = READ_ONCE(*y);\nr1 = r0 + 1;\nWRITE_ONCE(*x, r1);', 'addr ; data y; ctrl '],
    [
      'a value that comes out the same whatever is read',
      'r0 = READ_ONCE(*y);\nWRITE_ONCE(*x, r0 & 0);',
      'addr ; data y; ctrl ',
    ],
    ['an address', 'r0 = READ_ONCE(*y);\nr1 = READ_ONCE(*(x + (r0 ^ r0)));', 'addr y; data ; ctrl '],
    ['a register that is set anew', 'r0 = READ_ONCE(*y);\nr0 = 1;\nWRITE_ONCE(*x, r0);', 'addr ; data ; ctrl '],
    ['an arm', 'r0 = READ_ONCE(*y);\nif (r0) WRITE_ONCE(*x, 1);', 'addr ; data ; ctrl y'],
    ['what follows the if', 'r0 = READ_ONCE(*y);\nif (r0) r1 = 1;\nWRITE_ONCE(*x, 1);', 'addr ; data ; ctrl '],
    [
      'an arm in an arm',
      'r0 = READ_ONCE(*y);\nr1 = READ_ONCE(*z);\nif (r0) { if (r1) WRITE_ONCE(*x, 1); }',
      'addr ; data ; ctrl y,z',
    ],
    ['the right side of &&', 'if (READ_ONCE(*y) && READ_ONCE(*z)) WRITE_ONCE(*x, 1);', 'addr ; data ; ctrl y,z'],
    ['what a cmpxchg returns', 'r0 = cmpxchg(y, 0, 1);\nWRITE_ONCE(*x, r0);', 'addr ; data y; ctrl '],
    ['what a cmpxchg compares with', 'r0 = READ_ONCE(*y);\nr1 = cmpxchg(x, r0, 1);', 'addr ; data ; ctrl y,x'],
    ['what a trylock returns', 'r0 = spin_trylock(y);\nif (r0 == 0) WRITE_ONCE(*x, 1);', 'addr ; data ; ctrl y'],
    ['what a read-modify-write stores', 'r0 = READ_ONCE(*y);\natomic_add(r0, x);', 'addr ; data x,y; ctrl '],
    ['an exchange', 'r0 = READ_ONCE(*y);\nr1 = xchg(x, r0);', 'addr ; data y; ctrl x'],
  ])('%s', (_what, body, dependencies) => {
    expect(last(body)).toBe(dependencies);
  });
});
