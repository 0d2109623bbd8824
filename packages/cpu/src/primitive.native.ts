// SPDX-License-Identifier: MIT
import { KernelBug } from './bug.js';
import {
  readLockWord,
  readUnlockWord,
  spinLockWord,
  spinTrylockWord,
  spinUnlockWord,
  writeUnlockWord,
} from './lock-word.js';
import { attached } from './op.js';

/** Performs a primitive: address, operand and expected value as in access(); gives what `yield*` of it evaluates to. */
export type Perform = <R>(address: number, operand?: number, expected?: number) => R;

/** How one primitive is performed natively. */
export interface NativePrimitive {
  /** The kernel's spelling, as in PRIMITIVES. */
  readonly name: string;
  /** On processors with total store order (x86). */
  readonly fast: Perform;
  readonly fastBy: string;
  /** Anywhere. */
  readonly strict: Perform;
  readonly strictBy: string;
  /** Why `fast` is at least as strong as the primitive asks. */
  readonly because: string;
}

type Body = (address: number, operand: number, expected: number) => unknown;

const plainLoad: Body = (address) => attached.words[address];
const plainStore: Body = (address, operand) => {
  attached.words[address] = operand;
};
const atomicLoad: Body = (address) => Atomics.load(attached.words, address);
const atomicStore: Body = (address, operand) => {
  Atomics.store(attached.words, address, operand);
};
const nothing: Body = () => undefined;
const fence: Body = () => {
  Atomics.add(attached.words, attached.thisCpu.fence, 0);
};

/** One row where both tables do the same. */
const same = (name: string, body: Body, by: string, because: string): NativePrimitive =>
  row(name, body, by, body, by, because);

const row = (
  name: string,
  fast: Body,
  fastBy: string,
  strict: Body,
  strictBy: string,
  because: string,
): NativePrimitive => ({ name, fast: fast as Perform, fastBy, strict: strict as Perform, strictBy, because });

const LOAD = 'plain load';
const STORE = 'plain store';
const A_LOAD = 'Atomics.load';
const A_STORE = 'Atomics.store';
const NOTHING = 'nothing';
/** Barriers of the strict table. */
const IN_ORDER = 'nothing: SeqCst accesses are in one order';
const FENCE = 'Atomics.add of 0 to a word of this thread';

const RACE_FREE =
  'no other thread touches the word meanwhile, or the source would have a data race, which the checker excludes';
const LOADS =
  'x86 keeps loads in order. V8 neither moves, merges nor repeats loads of shared memory (ECMAScript would let it)';
const STORES =
  'x86 keeps stores in order and behind earlier loads. V8 neither moves nor merges stores to shared memory (ECMAScript would let it)';
const SEQ_CST = 'sequentially consistent: a release, and more';
const LOCKED = 'a locked instruction: atomic, and a full barrier on x86';
const HARDWARE = 'x86 does it by itself, for loads with loads and stores with stores';
const BY_RMW = 'the read-modify-write beside it is a full barrier already';
const LOCK = 'compareExchange takes it: an acquire, and a full barrier';
const READ_UNLOCK = 'the compareExchange that counts down is a release, and a full barrier';
const UNLOCK = 'the exchange that frees the word is a release, and a full barrier';

const addReturn: Body = (address, operand) => (Atomics.add(attached.words, address, operand) + operand) | 0;
const fetchAdd: Body = (address, operand) => Atomics.add(attached.words, address, operand);
const exchange: Body = (address, operand) => Atomics.exchange(attached.words, address, operand);
const compareExchange: Body = (address, operand, expected) =>
  Atomics.compareExchange(attached.words, address, expected, operand);

/** get_page_unless_zero() is this: a load to begin with, then compareExchange until it is the value it was computed from. */
const addUnless: Body = (address, operand, expected) => {
  for (let old = attached.words[address]; old !== expected; ) {
    const seen = Atomics.compareExchange(attached.words, address, old, (old + operand) | 0);
    if (seen === old) return true;
    old = seen;
  }
  return false;
};
const addUnlessStrict: Body = (address, operand, expected) => {
  for (let old = Atomics.load(attached.words, address); old !== expected; ) {
    const seen = Atomics.compareExchange(attached.words, address, old, (old + operand) | 0);
    if (seen === old) return true;
    old = seen;
  }
  return false;
};

const noSuchFlavour =
  (name: string): Body =>
  () => {
    throw new KernelBug('no-such-flavour', `${name}: natively RCU is user-space RCU; boot it with bootUrcu()`);
  };

/** Rows of the read-modify-writes, each a single `Atomics` operation. */
const RMWS: readonly NativePrimitive[] = (
  [
    ['atomic_add', 'add', (a, v) => void Atomics.add(attached.words, a, v)],
    ['atomic_add_return', 'add', addReturn],
    ['atomic_add_return_relaxed', 'add', addReturn],
    ['atomic_add_return_acquire', 'add', addReturn],
    ['atomic_add_return_release', 'add', addReturn],
    ['atomic_fetch_add', 'add', fetchAdd],
    ['atomic_add_and_test', 'add', (a, v) => Atomics.add(attached.words, a, v) + v === 0],
    ['atomic_add_negative', 'add', (a, v) => ((Atomics.add(attached.words, a, v) + v) | 0) < 0],
    ['atomic_xchg', 'exchange', exchange],
    ['atomic_xchg_relaxed', 'exchange', exchange],
    ['atomic_xchg_acquire', 'exchange', exchange],
    ['atomic_xchg_release', 'exchange', exchange],
    ['atomic_cmpxchg', 'compareExchange', compareExchange],
    ['atomic_cmpxchg_relaxed', 'compareExchange', compareExchange],
    ['atomic_cmpxchg_acquire', 'compareExchange', compareExchange],
    ['atomic_cmpxchg_release', 'compareExchange', compareExchange],
    ['set_bit', 'or', (a, v) => void Atomics.or(attached.words, a, v)],
    ['clear_bit', 'and', (a, v) => void Atomics.and(attached.words, a, v)],
    ['change_bit', 'xor', (a, v) => void Atomics.xor(attached.words, a, v)],
    ['clear_bit_unlock', 'and', (a, v) => void Atomics.and(attached.words, a, v)],
    ['test_and_set_bit', 'or', (a, v, bit) => (Atomics.or(attached.words, a, v) & bit) !== 0],
    ['test_and_clear_bit', 'and', (a, v, bit) => (Atomics.and(attached.words, a, v) & bit) !== 0],
    ['test_and_change_bit', 'xor', (a, v, bit) => (Atomics.xor(attached.words, a, v) & bit) !== 0],
    ['test_and_set_bit_lock', 'or', (a, v, bit) => (Atomics.or(attached.words, a, v) & bit) !== 0],
  ] as [string, string, Body][]
).map(([name, operation, body]) => same(name, body, `Atomics.${operation}`, LOCKED));

/**
 * The one table from primitive to `Atomics` operation. `fast` relies on total store order and on what V8 does today; `strict` on nothing but ECMAScript:
 * there every access is SeqCst, all of them are in one total order that agrees with each thread's program order, which is stronger than
 * LKMM whatever the barriers, so barriers do nothing.
 */
export const NATIVE_PRIMITIVES: readonly NativePrimitive[] = [
  row('load', plainLoad, LOAD, atomicLoad, A_LOAD, RACE_FREE),
  row('store', plainStore, STORE, atomicStore, A_STORE, RACE_FREE),
  row('READ_ONCE', plainLoad, LOAD, atomicLoad, A_LOAD, LOADS),
  row('WRITE_ONCE', plainStore, STORE, atomicStore, A_STORE, STORES),
  row('smp_load_acquire', plainLoad, LOAD, atomicLoad, A_LOAD, LOADS),
  same('smp_store_release', atomicStore, A_STORE, SEQ_CST),
  row('rcu_dereference', plainLoad, LOAD, atomicLoad, A_LOAD, LOADS),
  same('rcu_assign_pointer', atomicStore, A_STORE, SEQ_CST),
  same('smp_store_mb', atomicStore, A_STORE, 'V8 makes it an xchg: a full barrier'),

  row('smp_mb', fence, FENCE, nothing, IN_ORDER, LOCKED),
  row('smp_rmb', nothing, NOTHING, nothing, IN_ORDER, HARDWARE),
  row('smp_wmb', nothing, NOTHING, nothing, IN_ORDER, HARDWARE),
  row('smp_mb__before_atomic', nothing, NOTHING, nothing, IN_ORDER, BY_RMW),
  row('smp_mb__after_atomic', nothing, NOTHING, nothing, IN_ORDER, BY_RMW),
  row('smp_mb__after_spinlock', nothing, NOTHING, nothing, IN_ORDER, BY_RMW),
  row('smp_mb__after_unlock_lock', nothing, NOTHING, nothing, IN_ORDER, BY_RMW),
  row('barrier', nothing, NOTHING, nothing, IN_ORDER, 'V8 keeps accesses to shared memory in order'),

  ...RMWS,
  row(
    'atomic_add_unless',
    addUnless,
    'plain load, Atomics.compareExchange',
    addUnlessStrict,
    'Atomics.load, Atomics.compareExchange',
    'the compareExchange is a full barrier; when it does not add, nothing is asked',
  ),

  same('spin_lock', spinLockWord as Body, 'Atomics.compareExchange', LOCK),
  same('spin_trylock', spinTrylockWord as Body, 'Atomics.compareExchange', LOCK),
  same('spin_unlock', spinUnlockWord as Body, 'Atomics.exchange', UNLOCK),
  same('read_lock', readLockWord as Body, 'Atomics.load, Atomics.compareExchange', LOCK),
  same('read_unlock', readUnlockWord as Body, 'Atomics.load, Atomics.compareExchange', READ_UNLOCK),
  same('write_lock', spinLockWord as Body, 'Atomics.compareExchange', LOCK),
  same('write_trylock', spinTrylockWord as Body, 'Atomics.compareExchange', LOCK),
  same('write_unlock', writeUnlockWord as Body, 'Atomics.exchange', UNLOCK),

  ...['rcu_read_lock', 'rcu_read_unlock', 'synchronize_rcu', 'call_rcu'].map((name) =>
    same(name, noSuchFlavour(name), 'an error', 'RCU is made of words and barriers natively: urcu-mb.ts'),
  ),

  same('choose', (() => 0) as Body, 'the first alternative', 'orders nothing'),

  same(
    'kmem_cache_alloc',
    (cache) => attached.engine.allocate(cache),
    "the engine's slab allocator",
    'who freed the object did so under the same lock',
  ),
  same(
    'kmem_cache_free',
    (object, cache) => attached.engine.release(cache, object),
    "the engine's slab allocator",
    'who allocates the object next does so under the same lock',
  ),
  same('cpu_relax', () => attached.engine.relax(), 'the engine: spins, then sleeps', 'orders nothing'),
  same(
    'schedule',
    () => attached.engine.schedule(),
    'Atomics.add, Atomics.load, Atomics.wait',
    'begins with a full barrier',
  ),
  same(
    'wake_up_process',
    (task, mask) => attached.engine.wake(task, mask),
    'Atomics.add, Atomics.compareExchange, Atomics.notify',
    'begins with a full barrier',
  ),
  same(
    'submit_io',
    (request, device) => attached.engine.submitIo(request, device),
    'the engine',
    'begins with a full barrier',
  ),
];

/** Is told of each primitive before it is performed, for tests: `globalThis.locklessOnPrimitive`, set before this module is loaded. */
export type OnPrimitive = (name: string, address: number, operand: number, expected: number) => void;

interface Surroundings {
  readonly locklessOnPrimitive?: OnPrimitive;
  readonly locklessPrimitives?: string;
  readonly process?: { readonly arch?: string; readonly env?: Readonly<Record<string, string | undefined>> };
}

/** `fast` on x86, where it is known to be right, and `strict` elsewhere, unless `globalThis.locklessPrimitives` or LOCKLESS_PRIMITIVES chooses. */
function chooseTable(): 'fast' | 'strict' {
  const { locklessPrimitives, process } = globalThis as Surroundings;
  const chosen = locklessPrimitives ?? process?.env?.LOCKLESS_PRIMITIVES;
  if (chosen === 'fast' || chosen === 'strict') return chosen;
  if (chosen !== undefined && chosen !== '')
    throw new RangeError(`LOCKLESS_PRIMITIVES is fast or strict, not '${chosen}'`);
  return process?.arch === 'x64' ? 'fast' : 'strict';
}

/** Which of the two tables is in use; chosen when this module is loaded. */
export const primitiveTable: 'fast' | 'strict' = chooseTable();

/** The function that performs a primitive, by the kernel's name. Throws on an unknown name, at module load. */
export function code(name: string): Perform {
  const found = NATIVE_PRIMITIVES.find((primitive) => primitive.name === name);
  if (found === undefined) throw new Error(`primitive ${name} is not in the table`);
  const perform = found[primitiveTable];
  const { locklessOnPrimitive } = globalThis as Surroundings;
  return locklessOnPrimitive === undefined ? perform : watched(name, perform, locklessOnPrimitive);
}

const watched = (name: string, perform: Perform, onPrimitive: OnPrimitive): Perform =>
  ((address, operand = 0, expected = 0) => {
    onPrimitive(name, address, operand, expected);
    return perform(address, operand, expected);
  }) as Perform;
