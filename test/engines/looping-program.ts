// SPDX-License-Identifier: MIT
import { runInThisContext } from 'node:vm';

import type { Program } from '@lockless/checker';
import * as cpu from '@lockless/cpu';
import { access, code, type Op, type Ptr, type Ref, type StructOf } from '@lockless/cpu';

/** A number or the name of a register. */
export type Value = number | string;

/** One instruction: `at` is a variable, or a register that points to an object. Jumps go to positions. */
export type Instruction =
  | { readonly do: 'read'; readonly to: string; readonly at: string; readonly how?: Load }
  | { readonly do: 'write'; readonly at: string; readonly value: Value; readonly how?: Store }
  | { readonly do: 'add'; readonly at: string; readonly by: number; readonly to: string }
  | {
      readonly do: 'cmpxchg';
      readonly to: string;
      readonly at: string;
      readonly expected: Value;
      readonly value: Value;
    }
  | { readonly do: 'fence'; readonly how: 'smp_mb' | 'smp_rmb' | 'smp_wmb' }
  | {
      readonly do: 'lock' | 'unlock' | 'read-lock' | 'read-unlock' | 'write-lock' | 'write-unlock';
      readonly lock: string;
    }
  | { readonly do: 'trylock'; readonly lock: string; readonly to: string }
  | { readonly do: 'choose'; readonly to: string; readonly of: number }
  | { readonly do: 'rcu-lock' | 'rcu-unlock' | 'rcu-sync' | 'relax' | 'schedule' }
  | { readonly do: 'bug' }
  | { readonly do: 'call-rcu'; readonly callback: number; readonly value: Value }
  | { readonly do: 'alloc'; readonly to: string }
  | { readonly do: 'free'; readonly value: Value }
  /** set_current_state(), __set_current_state(TASK_RUNNING), wake_up_process() of a thread. */
  | { readonly do: 'prepare' | 'finish' }
  | { readonly do: 'wake'; readonly thread: number }
  | { readonly do: 'set'; readonly to: string; readonly value: Value; readonly plus: number }
  /** If left == right comes out as `if` says. */
  | { readonly do: 'jump'; readonly if: boolean; readonly left: Value; readonly right: Value; readonly target: number };
type Load = 'READ_ONCE' | 'smp_load_acquire' | 'load';
type Store = 'WRITE_ONCE' | 'smp_store_release' | 'store';
export type Code = readonly Instruction[];

export interface LoopingProgram {
  readonly threads: readonly Code[];
  /** What call_rcu() may call; the register `object` is its argument. */
  readonly callbacks: readonly Code[];
  readonly outcome: (results: readonly Readonly<Record<string, number>>[], read: (name: string) => number) => string;
}

export const OBJECT = 'object ';
export const VARIABLES: readonly string[] = ['x', 'y', 'z', 'p', 'l', 'm', 'rw'];
/** Registers that an outcome tells. The others hold pointers. */
const TOLD: readonly string[] = ['r0', 'r1', 'r2'];

interface Thing {
  value: number;
}
const Thing: StructOf<Thing> = cpu.struct<Thing>('thing', { value: 1 });
const things = cpu.kmemCacheCreate(Thing);
const words = new Map<string, Ref<number>>(VARIABLES.map((name) => [name, cpu.defineWord<number>(`looping_${name}`)]));
const tasks: readonly Ref<number>[] = Array.from({ length: 8 }, (_, i) => cpu.defineWord<number>(`looping_task${i}`));

type Registers = Record<string, number>;

export const standardOutcome: LoopingProgram['outcome'] = (results, read) =>
  JSON.stringify([
    results.map((registers) => TOLD.map((r) => registers[r] ?? 0)),
    ['x', 'y', 'z', 'l', 'm', 'rw'].map(read),
    read('p') !== 0,
  ]);

export function programOf({ threads, callbacks, outcome }: LoopingProgram): Program {
  const functions = callbacks.map((callback, i) =>
    cpu.functionPointer(`callback${i}`, function* (head: number): Op<void> {
      yield* interpret(callback, { object: head }, []);
    }),
  );
  return {
    name: 'looping',
    setup: function* () {},
    threads: Object.fromEntries(
      threads.map((thread, i) => [
        `P${i}`,
        function* () {
          // Sleepers first say who they are.
          if (thread.some((instruction) => instruction.do === 'schedule'))
            yield* cpu.writeOnce(tasks[i], cpu.thisCpu.current as number);
          return yield* interpret(thread, {}, functions);
        },
      ]),
    ),
    finally: function* (_, { results, reach }) {
      const registers = threads.map((_, i) => results[`P${i}`] as Registers);
      reach(outcome(registers, (name) => cpu.peek(words.get(name) as Ref<number>)));
    },
  };
}

type Make = () => Iterable<unknown>;
/**
 * As many functions as a thread may have instructions, all alike: what the checker knows an access by is its call stack, and two instructions of real code
 * are in two places.
 */
const PLACES: readonly ((make: Make) => Op<unknown>)[] = runInThisContext(
  `[${Array.from({ length: 40 }, (_, i) => `function* at${i}(make) { return yield* make(); }`).join(',\n')}]`,
  { filename: 'looping.js' },
);

function* interpret(instructions: Code, registers: Registers, functions: readonly number[]): Op<Registers> {
  const of = (value: Value): number => (typeof value === 'number' ? value : (registers[value] ?? 0));
  for (let pc = 0; pc < instructions.length; pc++) {
    const i = instructions[pc];
    const make = accessOf(i, of, functions);
    if (make !== null) {
      const result = Number((yield* PLACES[pc](make)) ?? 0);
      if ('to' in i) registers[i.to] = result;
      continue;
    }
    switch (i.do) {
      case 'bug':
        throw new cpu.KernelBug('BUG', 'here');
      case 'set':
        registers[i.to] = of(i.value) + i.plus;
        break;
      case 'jump':
        if (i.if === (of(i.left) === of(i.right))) pc = i.target - 1;
    }
  }
  return registers;
}

const LOCKING = {
  lock: 'spin_lock',
  unlock: 'spin_unlock',
  'read-lock': 'read_lock',
  'read-unlock': 'read_unlock',
  'write-lock': 'write_lock',
  'write-unlock': 'write_unlock',
  trylock: 'spin_trylock',
} as const;
const OTHERS = {
  'rcu-lock': 'rcu_read_lock',
  'rcu-unlock': 'rcu_read_unlock',
  'rcu-sync': 'synchronize_rcu',
  relax: 'cpu_relax',
  schedule: 'schedule',
} as const;

/** Null for what only concerns registers. */
function accessOf(i: Instruction, of: (value: Value) => number, functions: readonly number[]): Make | null {
  const word = (at: string) => (words.get(at) ?? Thing.value(of(at) as Ptr<Thing>)) as Ref<number>;
  switch (i.do) {
    case 'read':
      return () => access<number>(code(i.how ?? 'READ_ONCE'), word(i.at));
    case 'write':
      return () => access<void>(code(i.how ?? 'WRITE_ONCE'), word(i.at), of(i.value));
    case 'add':
      return () => cpu.atomicAddReturn(i.by, word(i.at));
    case 'cmpxchg':
      return () => cpu.atomicCmpxchg(word(i.at), of(i.expected), of(i.value));
    case 'fence':
      return () => access<void>(code(i.how), 0);
    case 'lock':
    case 'unlock':
    case 'read-lock':
    case 'read-unlock':
    case 'write-lock':
    case 'write-unlock':
    case 'trylock':
      return () => access<unknown>(code(LOCKING[i.do]), word(i.lock));
    case 'choose':
      return () => cpu.choose(i.of);
    case 'rcu-lock':
    case 'rcu-unlock':
    case 'rcu-sync':
    case 'relax':
    case 'schedule':
      return () => access<void>(code(OTHERS[i.do]), 0);
    case 'call-rcu':
      return () => access<void>(code('call_rcu'), of(i.value), functions[i.callback]);
    case 'alloc':
      return () => cpu.kmemCacheAlloc(things, cpu.GFP_KERNEL);
    case 'free':
      return () => cpu.kmemCacheFree(things, of(i.value) as Ptr<Thing>);
    case 'prepare':
      return () => cpu.setCurrentState(cpu.TASK_UNINTERRUPTIBLE);
    case 'finish':
      return () => cpu.setCurrentStateRelaxed(cpu.TASK_RUNNING);
    case 'wake':
      return () => wake(i.thread);
    default:
      return null;
  }
}

/** Who has not said who it is does not sleep. */
function* wake(thread: number): Op<void> {
  const task = (yield* cpu.readOnce(tasks[thread])) as Ptr<cpu.TaskStruct>;
  if (task !== 0) yield* cpu.wakeUpProcess(task);
}
