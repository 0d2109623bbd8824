// SPDX-License-Identifier: MIT
import type { Access, Op, Ref } from '@lockless/cpu';
import {
  access,
  atomicAddReturnRelaxed,
  atomicXchgRelaxed,
  code,
  defineStatic,
  defineWord,
  rcuAssignPointer,
  rcuDereference,
  readOnce,
  smpLoadAcquire,
  smpMb,
  smpRmb,
  smpStoreRelease,
  smpWmb,
  struct,
  writeOnce,
} from '@lockless/cpu';
import * as fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { ReferenceConsistency } from '../src/explore/consistency.js';
import type { Graph } from '../src/explore/graph.js';
import { LinuxKernelMemoryModel } from '../src/explore/linux-kernel-memory-model.js';
import { Locations } from '../src/explore/scope.js';
import { Visibility } from '../src/explore/visibility.js';
import type { Program } from '../src/program.js';
import type { ModelName } from '../src/result.js';
import { graphsOf } from './explore/graphs.js';
import { large, programOf } from './explore/random-program.js';

afterEach(() => void vi.restoreAllMocks());

function locationsOf(graph: Graph): Locations {
  const locations = new Locations();
  for (let e = 0; e < graph.size; e++) {
    locations.addresses[graph.location[e]] = graph.nodes[e].address;
    locations.initial[graph.location[e]] = 0;
  }
  return locations;
}

test('the incremental check says what the package that defines the model says', () => {
  const { isConsistent } = LinuxKernelMemoryModel.prototype;
  const answers = { true: 0, false: 0 };
  // With candidates that would not be tried: more to refuse.
  vi.spyOn(Visibility.prototype, 'seenBy').mockReturnValue(new Int32Array(1000));
  vi.spyOn(LinuxKernelMemoryModel.prototype, 'isConsistent').mockImplementation(function (
    this: LinuxKernelMemoryModel,
    graph: Graph,
    changed: number,
    revisited: number,
  ) {
    const own = isConsistent.call(this, graph, changed, revisited);
    expect(own).toBe(new ReferenceConsistency('lkmm', locationsOf(graph)).isConsistent(graph));
    answers[`${own}`]++;
    return own;
  });
  fc.assert(
    fc.property(large, (program) => void graphsOf(programOf(program), 'lkmm', { most: 60 })),
    { numRuns: 150 * Number(process.env.LOCKLESS_RUNS ?? 1) },
  );
  expect(Math.min(answers.true, answers.false)).toBeGreaterThan(50);
});

test('what is not tried would be refused', () => {
  // Without what visibility.ts knows there are more candidates, and the same executions.
  const all = (program: Program): string => graphsOf(program, 'lkmm', { most: 300 }).keys.sort().join('\n');
  fc.assert(
    fc.property(large, (random) => {
      const program = programOf(random);
      const { keys } = graphsOf(program, 'lkmm', { most: 300 });
      if (keys.length > 300) return;
      const found = all(program);
      const blind = vi.spyOn(Visibility.prototype, 'seenBy').mockReturnValue(new Int32Array(1000));
      expect(all(program)).toBe(found);
      blind.mockRestore();
    }),
    { numRuns: 40 * Number(process.env.LOCKLESS_RUNS ?? 1) },
  );
});

interface Item {
  value: number;
}
const Item = struct<Item>('litmus_item', { value: 1 });
const item = defineStatic(Item, 'litmus_item');
const [x, y] = ['litmus_x', 'litmus_y'].map((name) => defineWord(name));
const pointer = defineWord<Ref<number>>('litmus_pointer');
const none = (): readonly Access<void>[] => [];

function pair(first: () => Op<unknown>, second: () => Op<unknown>): Program {
  return { name: 'litmus', setup: function* (): Op<void> {}, threads: { first, second } };
}
const count = (program: Program, model: ModelName): number => graphsOf(program, model).counts.executions;

/** Message passing: of four executions the one in which the flag is seen and the data not is what the fences are for. */
function messagePassing(write: () => readonly Access<void>[], read: () => readonly Access<void>[]): Program {
  return pair(
    function* () {
      yield* writeOnce(x, 1);
      for (const one of write()) yield* one;
      yield* writeOnce(y, 1);
    },
    function* () {
      yield* readOnce(y);
      for (const one of read()) yield* one;
      yield* readOnce(x);
    },
  );
}

describe('message passing', () => {
  test.each([
    ['nothing', none, none, 4],
    ['smp_wmb', () => [smpWmb()], none, 4],
    ['smp_wmb and smp_rmb', () => [smpWmb()], () => [smpRmb()], 3],
    ['smp_mb and smp_rmb', () => [smpMb()], () => [smpRmb()], 3],
    ['smp_rmb and smp_wmb, swapped', () => [smpRmb()], () => [smpWmb()], 4],
  ] as const)('with %s', (_, write, read, executions) => {
    expect(count(messagePassing(write, read), 'lkmm')).toBe(executions);
    expect(count(messagePassing(write, read), 'tso')).toBe(3);
  });

  // (data ; rfi) in ppo: what add stores is computed from what it loads, so the load of the own store comes after both.
  test.each([
    ['add', () => atomicAddReturnRelaxed(4, y), 5, 1],
    ['xchg', () => atomicXchgRelaxed(y, 5), 1, 2],
  ] as const)('with a load-acquire of what the own %s stored', (_, modify, result, outcomes) => {
    const seen = new Set<number>();
    const program = pair(
      function* () {
        yield* writeOnce(x, 1);
        yield* smpMb();
        yield* writeOnce(y, 1);
      },
      function* () {
        const first = yield* modify();
        const again = yield* smpLoadAcquire(y);
        const data = yield* readOnce(x);
        if (first === result && again === 5) seen.add(data);
      },
    );
    graphsOf(program, 'lkmm');
    expect(seen.size).toBe(outcomes);
  });

  test('with release and acquire', () => {
    const write = function* (): Op<void> {
      yield* writeOnce(x, 1);
      yield* smpStoreRelease(y, 1);
    };
    const acquire = function* (): Op<void> {
      yield* smpLoadAcquire(y);
      yield* readOnce(x);
    };
    const relaxed = function* (): Op<void> {
      yield* readOnce(y);
      yield* readOnce(x);
    };
    expect(count(pair(write, acquire), 'lkmm')).toBe(3);
    expect(count(pair(write, relaxed), 'lkmm')).toBe(4);
  });

  test('with an address dependency: the object that was published is seen as it was', () => {
    const write = function* (): Op<void> {
      yield* writeOnce(Item.value(item), 1);
      yield* rcuAssignPointer(pointer, Item.value(item));
    };
    const follow = function* (): Op<void> {
      const target = yield* rcuDereference(pointer);
      if (target !== 0) yield* readOnce(target);
    };
    const astray = function* (): Op<void> {
      const target = yield* rcuDereference(pointer);
      if (target !== 0) yield* readOnce(x);
    };
    const writeX = function* (): Op<void> {
      yield* writeOnce(x, 1);
      yield* rcuAssignPointer(pointer, Item.value(item));
    };
    expect(count(pair(write, follow), 'lkmm')).toBe(2);
    expect(count(pair(writeX, astray), 'lkmm')).toBe(3);
  });
});

describe('grace periods', () => {
  const lock = (): Access<void> => access(code('rcu_read_lock'), 0);
  const unlock = (): Access<void> => access(code('rcu_read_unlock'), 0);
  const synchronize = (): Access<void> => access(code('synchronize_rcu'), 0);
  const reader = (section: boolean) =>
    function* (): Op<void> {
      if (section) yield* lock();
      yield* readOnce(y);
      yield* readOnce(x);
      if (section) yield* unlock();
    };
  const updater = function* (): Op<void> {
    yield* writeOnce(x, 1);
    yield* synchronize();
    yield* writeOnce(y, 1);
  };
  test.each(['sc', 'tso', 'lkmm'] as const)('%s: a section does not span one', (model) => {
    // y = 1 and x = 0 would.
    expect(count(pair(reader(true), updater), model)).toBe(3);
    expect(count(pair(reader(false), updater), model)).toBe(model === 'lkmm' ? 4 : 3);
  });
  test('also where the order of the loads is the other way round', () => {
    const backwards = (section: boolean) =>
      function* (): Op<void> {
        if (section) yield* lock();
        yield* readOnce(x);
        yield* readOnce(y);
        if (section) yield* unlock();
      };
    for (const model of ['sc', 'tso', 'lkmm'] as const) {
      expect(count(pair(backwards(true), updater), model)).toBe(3);
      expect(count(pair(backwards(false), updater), model)).toBe(4);
    }
  });
});
