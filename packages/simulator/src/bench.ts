// SPDX-License-Identifier: MIT
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Op, Ptr, Ref, SpinLock, StructOf, Vec } from '@lockless/cpu';
import {
  atomicDecAndTest,
  atomicIncNotZero,
  CACHE_LINE_WORDS,
  definePerCpu,
  defineStatic,
  load,
  rcuDereference,
  readOnce,
  smpRmb,
  smpWmb,
  spinLockIrqsave,
  spinUnlockIrqrestore,
  store,
  struct,
  writeOnce,
} from '@lockless/cpu';
import { Machine } from './machine.js';
import type { MemoryModel } from './options.js';

/** One measurement. */
export interface SimulatorBenchRow {
  readonly model: MemoryModel;
  readonly cpus: number;
  readonly accesses: number;
  readonly accessesPerSecond: number;
  readonly nsPerAccess: number;
  /** Processor time: what the figure above would be on a computer that does nothing else. */
  readonly cpuNsPerAccess: number;
  /** Reachable JavaScript heap after the measured accesses minus before them. */
  readonly heapGrowthBytes: number;
}

/** Something with slots, counts and a lock, as an address_space with its pages. */
interface Shelf {
  lock: SpinLock;
  entries: number;
  slots: Vec<number>;
  counts: Vec<number>;
}
const SLOTS = 16;
const Shelf: StructOf<Shelf> = struct<Shelf>(
  'bench_shelf',
  { lock: 1, entries: 1, slots: SLOTS, counts: SLOTS },
  CACHE_LINE_WORDS,
);

const shelves: Ptr<Shelf>[] = Array.from({ length: 64 }, (_, i) => defineStatic(Shelf, `bench_shelf_${i}`));
interface Scratch {
  words: Vec<number>;
}
const Scratch: StructOf<Scratch> = struct<Scratch>('bench_scratch', { words: 16 });
const scratch = definePerCpu(Scratch, 'bench_scratch');

function* lookupSlot(shelf: Ptr<Shelf>, index: number): Op<Ref<number>> {
  for (let height = 0; height < 3; height++) yield* readOnce(Shelf.entries(shelf));
  return Shelf.slots(shelf, index);
}

function* lookup(shelf: Ptr<Shelf>, index: number): Op<boolean> {
  const slot = yield* lookupSlot(shelf, index);
  const item = yield* rcuDereference(slot);
  if (!(yield* atomicIncNotZero(Shelf.counts(shelf, index)))) return false;
  yield* smpRmb();
  return (yield* readOnce(slot)) === item;
}

function* insert(shelf: Ptr<Shelf>, index: number): Op<void> {
  const flags = yield* spinLockIrqsave(Shelf.lock(shelf));
  yield* store(Shelf.entries(shelf), (yield* load(Shelf.entries(shelf))) + 1);
  yield* writeOnce(Shelf.counts(shelf, index), 1000);
  yield* smpWmb();
  yield* store(Shelf.slots(shelf, index), index);
  yield* spinUnlockIrqrestore(Shelf.lock(shelf), flags);
}

function* copy(cpu: number): Op<void> {
  for (let i = 0; i < 8; i++)
    yield* store(Scratch.words(scratch(cpu), i + 1), (yield* load(Scratch.words(scratch(cpu), i))) + 1);
}

/** Depth is what kernel code has between a system call and its accesses. */
function* atDepth(depth: number, body: () => Op<void>): Op<void> {
  if (depth > 0) yield* atDepth(depth - 1, body);
  else yield* body();
}

function* mix(cpu: number): Op<void> {
  for (let round = cpu; ; round++)
    yield* atDepth(3, function* () {
      const shelf = shelves[(round * 7 + cpu) % shelves.length];
      if (yield* lookup(shelf, round % SLOTS)) yield* atomicDecAndTest(Shelf.counts(shelf, round % SLOTS));
      else yield* insert(shelf, round % SLOTS);
      if (round % 4 === 0) yield* insert(shelf, round % SLOTS);
      yield* copy(cpu);
    });
}

/** Runs a kernel-like mix of accesses and measures it. `onProgress` gets a line for each measurement. */
export function benchSimulator(
  onProgress: (line: string) => void = () => {},
  options: {
    readonly accesses?: number;
    readonly models?: readonly MemoryModel[];
    readonly cpus?: readonly number[];
  } = {},
): SimulatorBenchRow[] {
  const accesses = options.accesses ?? 2_000_000;
  const rows: SimulatorBenchRow[] = [];
  for (const model of options.models ?? ['sc', 'tso', 'weak'])
    for (const cpus of options.cpus ?? [1, 2, 4, 8, 16, 32, 64]) {
      const row = measure(model, cpus, accesses);
      rows.push(row);
      onProgress(`${model}, ${cpus} CPUs: ${Math.round(row.nsPerAccess)} ns an access`);
    }
  return rows;
}

/** The measurements as a table. */
export function renderSimulatorBench(rows: readonly SimulatorBenchRow[]): string {
  const lines = rows.map(({ model, cpus, accessesPerSecond, nsPerAccess, cpuNsPerAccess, heapGrowthBytes }) =>
    [
      model.padEnd(5),
      String(cpus).padStart(4),
      (accessesPerSecond / 1e6).toFixed(2).padStart(12),
      nsPerAccess.toFixed(0).padStart(9),
      cpuNsPerAccess.toFixed(0).padStart(11),
      (heapGrowthBytes / 1024).toFixed(0).padStart(16),
    ].join('  '),
  );
  return ['model  CPUs  M accesses/s  ns each  CPU ns each  heap growth, KiB', ...lines].join('\n');
}

function measure(model: MemoryModel, cpus: number, accesses: number): SimulatorBenchRow {
  const machine = new Machine({ model, cpus });
  for (let cpu = 0; cpu < cpus; cpu++) machine.spawn(`mix${cpu}`, () => mix(cpu), { cpu });
  machine.run({ maxSteps: accesses / 4 });
  const before = machine.steps;
  const heap = heapUsed();
  const start = performance.now();
  const processor = process.cpuUsage();
  const { violation } = machine.run({ maxSteps: accesses });
  if (violation !== null) throw violation;
  const seconds = (performance.now() - start) / 1000;
  const { user } = process.cpuUsage(processor);
  const done = machine.steps - before;
  return {
    model,
    cpus,
    accesses: done,
    accessesPerSecond: Math.round(done / seconds),
    nsPerAccess: (seconds * 1e9) / done,
    cpuNsPerAccess: (user * 1000) / done,
    heapGrowthBytes: heapUsed() - heap,
  };
}

/** What is reachable: garbage is collected first. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  collect();
  return process.memoryUsage().heapUsed;
}
