// SPDX-License-Identifier: MIT

import type { Op, Ref } from '@lockless/cpu';
import * as cpu from '@lockless/cpu';
import type { Tag } from '@lockless/memory-model';
import fc from 'fast-check';

/** Instructions of random programs, with what they mean to cpu and to the memory model: the two columns that are held against each other. */
interface Meaning {
  readonly kind: 'load' | 'store' | 'exchange' | 'compare' | 'add' | 'fence';
  /** Tags of the load and of the store; of the fence. */
  readonly read?: Tag;
  readonly write?: Tag;
  readonly run: (word: Ref<number>, value: number) => cpu.Access<unknown>;
}
const INSTRUCTIONS = {
  READ_ONCE: { kind: 'load', read: 'once', run: (w) => cpu.readOnce(w) },
  smp_load_acquire: { kind: 'load', read: 'acquire', run: (w) => cpu.smpLoadAcquire(w) },
  WRITE_ONCE: { kind: 'store', write: 'once', run: (w, v) => cpu.writeOnce(w, v) },
  smp_store_release: { kind: 'store', write: 'release', run: (w, v) => cpu.smpStoreRelease(w, v) },
  xchg: { kind: 'exchange', read: 'mb', write: 'mb', run: (w, v) => cpu.atomicXchg(w, v) },
  xchg_relaxed: { kind: 'exchange', read: 'once', write: 'once', run: (w, v) => cpu.atomicXchgRelaxed(w, v) },
  xchg_acquire: { kind: 'exchange', read: 'acquire', write: 'once', run: (w, v) => cpu.atomicXchgAcquire(w, v) },
  xchg_release: { kind: 'exchange', read: 'once', write: 'release', run: (w, v) => cpu.atomicXchgRelease(w, v) },
  cmpxchg: { kind: 'compare', read: 'mb', write: 'mb', run: (w, v) => cpu.atomicCmpxchg(w, 0, v) },
  atomic_add: { kind: 'add', read: 'noreturn', write: 'noreturn', run: (w, v) => cpu.atomicAdd(v, w) },
  smp_mb: { kind: 'fence', read: 'mb', run: () => cpu.smpMb() },
  smp_rmb: { kind: 'fence', read: 'rmb', run: () => cpu.smpRmb() },
  smp_wmb: { kind: 'fence', read: 'wmb', run: () => cpu.smpWmb() },
  smp_mb__after_atomic: { kind: 'fence', read: 'after-atomic', run: () => cpu.smpMbAfterAtomic() },
} satisfies Record<string, Meaning>;

export interface Instruction {
  readonly name: keyof typeof INSTRUCTIONS;
  readonly word: number;
  readonly value: number;
  /** Only if the load before gave something other than 0. */
  readonly conditional: boolean;
}
export type RandomProgram = readonly (readonly Instruction[])[];

export const WORDS: readonly Ref<number>[] = ['x', 'y', 'z'].map((name) => cpu.defineWord(`engines_${name}`));
export const meaningOf = ({ name }: Instruction): Meaning => INSTRUCTIONS[name];

/** A thread as kernel-side code; it returns what it loaded. */
export function* runThread(instructions: readonly Instruction[]): Op<number[]> {
  const loaded: number[] = [];
  for (const instruction of instructions) {
    const { kind, run } = meaningOf(instruction);
    if (instruction.conditional && (loaded.at(-1) ?? 0) === 0) continue;
    const value = yield* run(WORDS[instruction.word], instruction.value);
    if (kind === 'load' || kind === 'exchange' || kind === 'compare') loaded.push(Number(value));
  }
  return loaded;
}

const names = Object.keys(INSTRUCTIONS) as (keyof typeof INSTRUCTIONS)[];
const weights: Partial<Record<keyof typeof INSTRUCTIONS, number>> = { READ_ONCE: 4, WRITE_ONCE: 4, smp_mb: 2 };
const instruction: fc.Arbitrary<Instruction> = fc.record({
  name: fc.oneof(...names.map((name) => ({ arbitrary: fc.constant(name), weight: weights[name] ?? 1 }))),
  word: fc.nat(2),
  value: fc.integer({ min: 1, max: 2 }),
  conditional: fc.boolean(),
});
const thread = (most: number) => fc.array(instruction, { minLength: 1, maxLength: most });

/** Two threads of up to four instructions or three of up to three. */
export const randomProgram: fc.Arbitrary<RandomProgram> = fc.oneof(
  fc.array(thread(4), { minLength: 2, maxLength: 2 }),
  fc.array(thread(3), { minLength: 3, maxLength: 3 }),
);
