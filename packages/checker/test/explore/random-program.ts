// SPDX-License-Identifier: MIT
import type { Op, Ref, StructOf, Vec } from '@lockless/cpu';
import {
  atomicAdd,
  atomicCmpxchg,
  atomicCmpxchgRelaxed,
  atomicFetchAdd,
  atomicXchgAcquire,
  atomicXchgRelease,
  defineStatic,
  defineWord,
  load,
  rawSpinLock,
  rawSpinTrylock,
  rawSpinUnlock,
  rcuAssignPointer,
  rcuDereference,
  readOnce,
  smpLoadAcquire,
  smpMb,
  smpMbAfterAtomic,
  smpMbAfterSpinlock,
  smpMbAfterUnlockLock,
  smpMbBeforeAtomic,
  smpRmb,
  smpStoreRelease,
  smpWmb,
  store,
  struct,
  writeOnce,
} from '@lockless/cpu';
import * as fc from 'fast-check';
import type { Program } from '../../src/program.js';

/** One instruction of a random program. `x` is a variable; loads go to the thread's register. */
export type Instruction =
  | { readonly op: 'read'; readonly x: number; readonly order: 'once' | 'acquire' | 'plain' }
  | { readonly op: 'write'; readonly x: number; readonly value: number; readonly order: 'once' | 'release' | 'plain' }
  /** Stores the register + 1. */
  | { readonly op: 'write-register'; readonly x: number }
  | { readonly op: 'add'; readonly x: number; readonly order: 'full' | 'noreturn' }
  | { readonly op: 'xchg'; readonly x: number; readonly value: number; readonly order: 'acquire' | 'release' }
  | {
      readonly op: 'cmpxchg';
      readonly x: number;
      readonly expected: number;
      readonly value: number;
      readonly order: 'full' | 'relaxed';
    }
  | { readonly op: 'fence'; readonly fence: keyof typeof FENCES }
  /** Stores the address of a variable; loads one, and what it points to. */
  | { readonly op: 'publish'; readonly x: number }
  | { readonly op: 'dereference' }
  /** Ends the thread if the register is not 0. */
  | { readonly op: 'exit-unless-zero' }
  | { readonly op: 'lock' | 'unlock' | 'trylock'; readonly lock: number };

export type RandomProgram = readonly (readonly Instruction[])[];

interface Vars {
  words: Vec<number>;
}
const Vars: StructOf<Vars> = struct<Vars>('vars', { words: 8 });
const vars = defineStatic(Vars, 'random_program_vars');
export const variable = (x: number): Ref<number> => Vars.words(vars, x);
/** Locks are variables after the others. */
export const lockWord = (lock: number): Ref<number> => Vars.words(vars, 4 + lock);

const FENCES = {
  mb: smpMb,
  rmb: smpRmb,
  wmb: smpWmb,
  'before-atomic': smpMbBeforeAtomic,
  'after-atomic': smpMbAfterAtomic,
  'after-spinlock': smpMbAfterSpinlock,
  'after-unlock-lock': smpMbAfterUnlockLock,
};
/** A variable in an object of its own, or all variables would depend on it. */
const pointer = defineWord<Ref<number>>('random_program_pointer');

function* interpret(code: readonly Instruction[]): Op<number> {
  let register = 0;
  for (const i of code)
    switch (i.op) {
      case 'read': {
        const access = { once: readOnce, acquire: smpLoadAcquire, plain: load }[i.order];
        register = yield* access(variable(i.x));
        break;
      }
      case 'write':
        yield* { once: writeOnce, release: smpStoreRelease, plain: store }[i.order](variable(i.x), i.value);
        break;
      case 'write-register':
        yield* writeOnce(variable(i.x), register + 1);
        break;
      case 'add':
        if (i.order === 'full') register = yield* atomicFetchAdd(1, variable(i.x));
        else yield* atomicAdd(1, variable(i.x));
        break;
      case 'xchg':
        register = yield* (i.order === 'acquire' ? atomicXchgAcquire : atomicXchgRelease)(variable(i.x), i.value);
        break;
      case 'cmpxchg':
        register = yield* (i.order === 'full' ? atomicCmpxchg : atomicCmpxchgRelaxed)(
          variable(i.x),
          i.expected,
          i.value,
        );
        break;
      case 'fence':
        yield* FENCES[i.fence]();
        break;
      case 'publish':
        yield* rcuAssignPointer(pointer, variable(i.x));
        break;
      case 'dereference': {
        const target = yield* rcuDereference(pointer);
        if (target !== 0) register = yield* readOnce(target);
        break;
      }
      case 'exit-unless-zero':
        if (register !== 0) return register;
        break;
      case 'lock':
        yield* rawSpinLock(lockWord(i.lock) as never);
        break;
      case 'unlock':
        yield* rawSpinUnlock(lockWord(i.lock) as never);
        break;
      case 'trylock':
        if (!(yield* rawSpinTrylock(lockWord(i.lock) as never))) return -1;
        break;
    }
  return register;
}

export const programOf = (code: RandomProgram): Program => ({
  name: 'random',
  setup: function* (): Op<void> {},
  threads: Object.fromEntries(code.map((thread, i) => [`t${i}`, () => interpret(thread)])),
});

const x = fc.nat(1);
const value = fc.integer({ min: 1, max: 2 });
const access: fc.Arbitrary<Instruction> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant('read' as const),
      x,
      order: fc.constantFrom('once' as const, 'acquire' as const),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant('write' as const),
      x,
      value,
      order: fc.constantFrom('once' as const, 'release' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('write-register' as const), x }) },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('add' as const),
      x,
      order: fc.constantFrom('full' as const, 'noreturn' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('xchg' as const),
      x,
      value,
      order: fc.constantFrom('acquire' as const, 'release' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('cmpxchg' as const),
      x,
      expected: fc.nat(1),
      value,
      order: fc.constantFrom('full' as const, 'relaxed' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('fence' as const),
      fence: fc.constantFrom('mb' as const, 'rmb' as const, 'wmb' as const),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ op: 'exit-unless-zero' as const }) },
);
const plain: fc.Arbitrary<Instruction> = fc.oneof(
  fc.record({ op: fc.constant('read' as const), x, order: fc.constant('plain' as const) }),
  fc.record({ op: fc.constant('write' as const), x, value, order: fc.constant('plain' as const) }),
);
const some = (one: fc.Arbitrary<Instruction>, max: number): fc.Arbitrary<Instruction[]> =>
  fc.array(one, { maxLength: max });

/** Accesses in a critical section, or after a trylock. */
const section: fc.Arbitrary<Instruction[]> = fc
  .tuple(fc.constantFrom('lock' as const, 'trylock' as const), some(access, 1), fc.nat(1))
  .map(([op, body, lock]) => [
    { op, lock },
    ...body.filter((i) => i.op !== 'exit-unless-zero'),
    { op: 'unlock', lock },
  ]);

const threads = (thread: fc.Arbitrary<Instruction[]>): fc.Arbitrary<RandomProgram> =>
  // Enumeration is exponential: few instructions in all.
  fc.array(thread, { minLength: 2, maxLength: 3 }).filter((code) => code.flat().length <= 7);

export const marked: fc.Arbitrary<RandomProgram> = threads(some(access, 3));
export const withPlain: fc.Arbitrary<RandomProgram> = threads(some(fc.oneof(access, plain), 3));
export const withLocks: fc.Arbitrary<RandomProgram> = threads(
  fc.tuple(some(access, 1), section, some(access, 1)).map((parts) => parts.flat()),
);

const anything: fc.Arbitrary<Instruction[]> = fc.oneof(
  { weight: 6, arbitrary: access.map((i) => [i]) },
  { weight: 1, arbitrary: plain.map((i) => [i]) },
  { weight: 3, arbitrary: section },
  {
    weight: 3,
    arbitrary: fc
      .constantFrom(...(Object.keys(FENCES) as (keyof typeof FENCES)[]))
      .map((fence) => [{ op: 'fence' as const, fence }]),
  },
  { weight: 1, arbitrary: x.map((to) => [{ op: 'publish' as const, x: to }]) },
  { weight: 1, arbitrary: fc.constant<Instruction[]>([{ op: 'dereference' }]) },
);
/** Larger programs with everything, too large to enumerate. */
export const large: fc.Arbitrary<RandomProgram> = fc.array(
  fc.array(anything, { maxLength: 5 }).map((parts) => parts.flat()),
  { minLength: 2, maxLength: 4 },
);
