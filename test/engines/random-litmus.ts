// SPDX-License-Identifier: MIT
import fc from 'fast-check';

/*
 * Random litmus tests, as text: larger than what the definition can enumerate, with what kernel code is made of. Every register is observed, and every
 * variable.
 */
const VARIABLES = ['x', 'y', 'z'];
const REGISTERS = ['r0', 'r1', 'r2'];

const variable = fc.constantFrom(...VARIABLES);
const register = fc.constantFrom(...REGISTERS);
const value = fc.integer({ min: 1, max: 2 });
const suffix = fc.constantFrom('', '_relaxed', '_acquire', '_release');

type Lines = readonly string[];
const line = (text: fc.Arbitrary<string>): fc.Arbitrary<Lines> => text.map((one) => [one]);

const load = fc
  .tuple(register, variable, fc.constantFrom('READ_ONCE(*?)', 'READ_ONCE(*?)', 'smp_load_acquire(?)', '*?'))
  .map(([r, x, how]) => `${r} = ${how.replace('?', x)};`);
const store = fc
  .tuple(
    variable,
    fc.oneof(value.map(String), register),
    fc.constantFrom(
      'WRITE_ONCE(*?, !);',
      'WRITE_ONCE(*?, !);',
      'smp_store_release(?, !);',
      '*? = !;',
      'smp_store_mb(*?, !);',
    ),
  )
  .map(([x, v, how]) => how.replace('?', x).replace('!', v));
const modify = fc.oneof(
  fc.tuple(register, variable, value, suffix).map(([r, x, v, s]) => `${r} = xchg${s}(${x}, ${v});`),
  fc.tuple(register, variable, value, suffix).map(([r, x, v, s]) => `${r} = cmpxchg${s}(${x}, 0, ${v});`),
  fc.tuple(register, variable, suffix).map(([r, x, s]) => `${r} = atomic_add_return${s}(1, ${x});`),
  fc.tuple(register, variable).map(([r, x]) => `${r} = atomic_add_unless(${x}, 1, 0);`),
  fc.tuple(register, variable).map(([r, x]) => `${r} = atomic_dec_and_test(${x});`),
  variable.map((x) => `atomic_inc(${x});`),
);
const fence = fc
  .constantFrom(
    'mb',
    'rmb',
    'wmb',
    'mb__before_atomic',
    'mb__after_atomic',
    'mb__after_spinlock',
    'mb__after_unlock_lock',
  )
  .map((name) => `smp_${name}();`);
const pointer = fc.oneof(
  fc
    .tuple(fc.constantFrom('v', 'w'), value)
    .map(([target, n]) => `WRITE_ONCE(*${target}, ${n});\n\trcu_assign_pointer(*p, ${target});`),
  register.map((r) => `r3 = rcu_dereference(*p);\n\t${r} = READ_ONCE(*r3);`),
);
const synchronize = fc.constant('synchronize_rcu();');

const simple = line(
  fc.oneof(
    { arbitrary: load, weight: 5 },
    { arbitrary: store, weight: 5 },
    { arbitrary: modify, weight: 2 },
    { arbitrary: fence, weight: 2 },
    { arbitrary: pointer, weight: 1 },
  ),
);
const few = fc.array(simple, { maxLength: 3 }).map((parts) => parts.flat());
const compound: fc.Arbitrary<Lines> = fc.oneof(
  fc.tuple(fc.constantFrom('l', 'm'), few).map(([l, body]) => [`spin_lock(${l});`, ...body, `spin_unlock(${l});`]),
  fc
    .tuple(fc.constantFrom('l', 'm'), few)
    .map(([l, body]) => [`r4 = spin_trylock(${l});`, 'if (r4) {', ...body, `spin_unlock(${l});`, '}']),
  few.map((body) => ['rcu_read_lock();', ...body, 'rcu_read_unlock();']),
  line(synchronize),
  fc
    .tuple(register, few, few)
    .map(([r, then, otherwise]) => [`if (${r} == 1) {`, ...then, '} else {', ...otherwise, '}']),
);

const thread = fc
  .array(fc.oneof({ arbitrary: simple, weight: 3 }, { arbitrary: compound, weight: 2 }), { minLength: 1, maxLength: 4 })
  .map((parts) => parts.flat());

/** Statements of all threads together. */
const MOST = 16;

export const randomLitmus: fc.Arbitrary<string> = fc
  .array(thread, { minLength: 2, maxLength: 4 })
  .filter((threads) => threads.flat().length <= MOST)
  .map((threads) => {
    const parameters = [...VARIABLES, 'v', 'w', 'p']
      .map((name) => `int *${name}`)
      .concat('spinlock_t *l', 'spinlock_t *m');
    const code = threads.map(
      (body, i) =>
        `P${i}(${parameters.join(', ')})\n{\n${['int r0;', 'int r1;', 'int r2;', 'int *r3;', 'int r4;', ...body].map((l) => `\t${l}`).join('\n')}\n}`,
    );
    const observed = [
      ...threads.flatMap((_, i) => [...REGISTERS, 'r4'].map((r) => `${i}:${r}`)),
      ...[...VARIABLES, 'v', 'w', 'p', 'l', 'm'],
    ];
    return `C random\n\n{ p=v; }\n\n${code.join('\n\n')}\n\nlocations [${observed.join('; ')}]\n`;
  });
