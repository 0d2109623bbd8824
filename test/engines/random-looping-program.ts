// SPDX-License-Identifier: MIT
import fc from 'fast-check';
import type { Code, Instruction, LoopingProgram, Value } from './looping-program.js';
import { standardOutcome } from './looping-program.js';

/* Pieces of code with positions relative to themselves; {@link join} puts them in a row. */

const shift = (code: Code, by: number): Instruction[] =>
  code.map((i) => (i.do === 'jump' ? { ...i, target: i.target + by } : i));

function join(...parts: readonly Code[]): Code {
  const all: Instruction[] = [];
  for (const part of parts) all.push(...shift(part, all.length));
  return all;
}

function when(left: Value, right: Value, equal: boolean, body: Code): Code {
  return join([{ do: 'jump', if: !equal, left, right, target: 1 + body.length }], shift(body, 0));
}

/** Goes round as long as left == right comes out as `again` says. */
function loop(body: Code, left: Value, right: Value, again: boolean, relaxed: boolean): Code {
  const rest: Code = relaxed
    ? [
        { do: 'jump', if: !again, left, right, target: body.length + 3 },
        { do: 'relax' },
        { do: 'jump', if: true, left: 0, right: 0, target: 0 },
      ]
    : [{ do: 'jump', if: again, left, right, target: 0 }];
  return [...body, ...rest];
}

const variable = fc.constantFrom('x', 'y', 'z');
const register = fc.constantFrom('r0', 'r1', 'r2');
const value = fc.integer({ min: 1, max: 2 });
const relaxed = fc.boolean();
const how = fc.constantFrom('READ_ONCE' as const, 'READ_ONCE' as const, 'smp_load_acquire' as const);
const howStored = fc.constantFrom('WRITE_ONCE' as const, 'WRITE_ONCE' as const, 'smp_store_release' as const);

const read = fc.record({ do: fc.constant('read' as const), to: register, at: variable, how });
const write = fc.record({ do: fc.constant('write' as const), at: variable, value, how: howStored });
const failing = fc.record({
  do: fc.constant('cmpxchg' as const),
  to: fc.constant('t'),
  at: variable,
  expected: fc.constant(9),
  value,
});
const plainly: fc.Arbitrary<Code> = fc
  .oneof(
    { arbitrary: read, weight: 4 },
    { arbitrary: write, weight: 5 },
    { arbitrary: failing, weight: 1 },
    {
      arbitrary: fc.record({ do: fc.constant('add' as const), at: variable, by: fc.constant(1), to: register }),
      weight: 1,
    },
    {
      arbitrary: fc.record({
        do: fc.constant('fence' as const),
        how: fc.constantFrom('smp_mb' as const, 'smp_rmb' as const, 'smp_wmb' as const),
      }),
      weight: 1,
    },
    {
      arbitrary: fc.record({ do: fc.constant('choose' as const), to: register, of: fc.constant(2) }),
      weight: 1,
    },
  )
  .map((one) => [one]);

/** Waits for a value. */
const spin: fc.Arbitrary<Code> = fc
  .tuple(read, value, fc.boolean(), relaxed)
  .map(([r, v, until, relax]) => loop([r], r.to, until ? v : 0, !until, relax));

/** A round of reads, again while the last one says so. */
const retry: fc.Arbitrary<Code> = fc
  .tuple(
    fc.array(fc.oneof(read, failing), { minLength: 1, maxLength: 3 }),
    fc.oneof(value, register),
    fc.boolean(),
    relaxed,
  )
  .map(([body, right, again, relax]) => loop(body, (body.at(-1) as { to: string }).to, right, again, relax));

/** A round that may end in the middle. */
const retryOrLeave: fc.Arbitrary<Code> = fc
  .tuple(read, value, fc.oneof(read, failing), value, relaxed)
  .map(([first, v, other, w, relax]) => {
    // What the last round in vain found is not told: the checker does not know of loops that remember.
    const second = { ...other, to: 't' };
    const body: Instruction[] = [
      first,
      { do: 'jump', if: true, left: first.to, right: v, target: relax ? 6 : 4 },
      second,
    ];
    return loop(body, second.to, w, false, relax);
  });

/** Tries a few times, then goes on without. */
const bounded: fc.Arbitrary<Code> = fc.tuple(read, value, fc.integer({ min: 2, max: 3 })).map(([r, v, most]) => {
  const body: Instruction[] = [
    r,
    { do: 'jump', if: true, left: r.to, right: v, target: 4 },
    { do: 'set', to: 'n', value: 'n', plus: 1 },
  ];
  return join([{ do: 'set', to: 'n', value: 0, plus: 0 }], loop(body, 'n', most, false, false));
});

/** old = read; cmpxchg(old, old + 1), again until it succeeds. */
const compareLoop: fc.Arbitrary<Code> = fc.tuple(variable, relaxed).map(([at, relax]) =>
  loop(
    [
      { do: 'read', to: 'r0', at },
      { do: 'set', to: 'r1', value: 'r0', plus: 1 },
      { do: 'cmpxchg', to: 'r2', at, expected: 'r0', value: 'r1' },
    ],
    'r2',
    'r0',
    false,
    relax,
  ),
);

const few = fc.array(plainly, { maxLength: 2 }).map((parts) => join(...parts));
const lock = fc.constantFrom('l', 'm');
const section: fc.Arbitrary<Code> = fc.oneof(
  fc.tuple(lock, few).map(([l, body]) => join([{ do: 'lock', lock: l }], body, [{ do: 'unlock', lock: l }])),
  fc.tuple(few, few).map(([body, other]) =>
    join([{ do: 'lock', lock: 'l' }], body, [{ do: 'lock', lock: 'm' }], other, [
      { do: 'unlock', lock: 'm' },
      { do: 'unlock', lock: 'l' },
    ]),
  ),
  fc
    .tuple(lock, few)
    .map(([l, body]) =>
      join([{ do: 'trylock', lock: l, to: 'r2' }], when('r2', 1, true, join(body, [{ do: 'unlock', lock: l }]))),
    ),
  fc
    .tuple(lock, few, relaxed)
    .map(([l, body, relax]) =>
      join(loop([{ do: 'trylock', lock: l, to: 'r2' }], 'r2', 0, true, relax), body, [{ do: 'unlock', lock: l }]),
    ),
  few.map((body) => join([{ do: 'read-lock', lock: 'rw' }], body, [{ do: 'read-unlock', lock: 'rw' }])),
  few.map((body) => join([{ do: 'write-lock', lock: 'rw' }], body, [{ do: 'write-unlock', lock: 'rw' }])),
  few.map((body) => join([{ do: 'rcu-lock' }], body, [{ do: 'rcu-unlock' }])),
  fc.constant<Code>([{ do: 'rcu-sync' }]),
);

/** Forgets to unlock, or takes locks the wrong way round. */
const careless: fc.Arbitrary<Code> = fc.oneof(
  lock.map<Code>((l) => [{ do: 'lock', lock: l }]),
  fc.constant<Code>([
    { do: 'lock', lock: 'm' },
    { do: 'lock', lock: 'l' },
    { do: 'unlock', lock: 'l' },
    { do: 'unlock', lock: 'm' },
  ]),
  fc.tuple(register, value).map(([r, v]) => when(r, v, true, [{ do: 'bug' }])),
);

/** The object that p points to: publishes, uses, removes. */
const publish: fc.Arbitrary<Code> = fc.constant<Code>([
  { do: 'alloc', to: 'q' },
  { do: 'write', at: 'q', value: 1 },
  { do: 'write', at: 'p', value: 'q', how: 'smp_store_release' },
]);
const use = (guarded: boolean): fc.Arbitrary<Code> =>
  fc.tuple(register, fc.boolean()).map(([to, again]) => {
    const body: Code = [
      { do: 'read', to: 'u', at: 'p' },
      ...when('u', 0, false, [{ do: 'read', to, at: 'u' }]).map((i) => (i.do === 'jump' ? { ...i, target: 3 } : i)),
    ];
    const round = again ? loop(body, to, 1, false, false) : body;
    return guarded ? join([{ do: 'rcu-lock' }], round, [{ do: 'rcu-unlock' }]) : round;
  });
const remove: fc.Arbitrary<Code> = fc
  .tuple(fc.constantFrom('none', 'sync', 'call'), fc.boolean(), variable)
  .map(([wait, marks, v]) => {
    const free: Code = wait === 'call' ? [{ do: 'call-rcu', callback: 0, value: 'o' }] : [{ do: 'free', value: 'o' }];
    const body = join(
      [{ do: 'write', at: 'p', value: 0 }],
      marks ? [{ do: 'write', at: 'o', value: 2 }] : [],
      wait === 'sync' ? [{ do: 'rcu-sync' }] : [],
      free,
      [{ do: 'write', at: v, value: 2 }],
    );
    return join([{ do: 'read', to: 'o', at: 'p' }], when('o', 0, false, body));
  });
const lifetime = fc.oneof(publish, use(true), use(false), remove);

const wait: fc.Arbitrary<Code> = fc.tuple(variable, fc.boolean()).map(([at, prepared]): Code => {
  const ask: Instruction = { do: 'read', to: 'r0', at };
  const prepare: Code = prepared
    ? [{ do: 'prepare' }, ask]
    : [ask, { do: 'jump', if: false, left: 'r0', right: 0, target: 5 }, { do: 'prepare' }];
  return prepared
    ? [
        ...prepare,
        { do: 'jump', if: false, left: 'r0', right: 0, target: 5 },
        { do: 'schedule' },
        { do: 'jump', if: true, left: 0, right: 0, target: 0 },
        { do: 'finish' },
      ]
    : [...prepare, { do: 'schedule' }, { do: 'jump', if: true, left: 0, right: 0, target: 0 }, { do: 'finish' }];
});
const wake = (thread: number): fc.Arbitrary<Code> =>
  fc.tuple(write, fc.boolean()).map(([w, last]) => (last ? [w, { do: 'wake', thread }] : [{ do: 'wake', thread }, w]));

const threadOf = (pieces: fc.Arbitrary<Code>, most: number): fc.Arbitrary<Code> =>
  fc.array(pieces, { minLength: 1, maxLength: most }).map((parts) => join(...parts));

const callbacks: readonly Code[] = [[{ do: 'free', value: 'object' }]];
const programs = (
  thread: fc.Arbitrary<Code>,
  most: number,
  { threads = 3, first }: { readonly threads?: number; readonly first?: fc.Arbitrary<Code> } = {},
): fc.Arbitrary<LoopingProgram> =>
  fc
    .tuple(first ?? thread, fc.array(thread, { minLength: 1, maxLength: threads - 1 }))
    .map(([one, others]) => [one, ...others])
    .filter((all) => all.flat().length <= most)
    .map((all) => ({ threads: all, callbacks, outcome: standardOutcome }));

export const FAMILIES: Readonly<Record<string, fc.Arbitrary<LoopingProgram>>> = {
  spins: programs(threadOf(fc.oneof({ arbitrary: plainly, weight: 3 }, spin, bounded), 4), 16),
  retries: programs(threadOf(fc.oneof({ arbitrary: plainly, weight: 4 }, retry, retryOrLeave, compareLoop), 4), 18),
  locks: programs(threadOf(fc.oneof(plainly, { arbitrary: section, weight: 2 }), 3), 20),
  careless: programs(threadOf(fc.oneof(plainly, section, careless, spin), 4), 18),
  lifetimes: programs(threadOf(fc.oneof({ arbitrary: lifetime, weight: 3 }, plainly, spin), 3), 24, {
    first: fc.tuple(publish, few).map((parts) => join(...parts)),
  }),
  sleeps: programs(threadOf(fc.oneof({ arbitrary: wake(0), weight: 2 }, plainly), 3), 20, {
    first: fc.tuple(few, wait, few).map((parts) => join(...parts)),
  }),
};
