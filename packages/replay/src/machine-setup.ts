// SPDX-License-Identifier: GPL-2.0-only
import { type KernelConfig, kmemCacheOf, type Op, type Ptr, STATIC_WORDS, type TaskStruct } from '@lockless/cpu';
import {
  backgroundTasks,
  boot,
  diskInterrupt,
  hugeCountsAgree,
  khugepagedTask,
  machineHooks,
  mmInvariants,
  shutdown,
} from '@lockless/mm';
import { Bio, DISK_DEVICE, Inode, Page } from '@lockless/mm-types';
import { attachBlockMap, BackingStore, pagesKnowTheirPlace, setPageCacheObserver } from '@lockless/pagecache';
import { rcuStatistics } from '@lockless/rcu';
import { Machine } from '@lockless/simulator';
import { Bookkeeping } from './bookkeeping.js';
import { CpuLanes } from './cpu-lanes.js';
import { endSwap, placesLeft } from './end-swap.js';
import { Guest } from './guest.js';
import { migrateAtRandom } from './migrator.js';
import { Neighbour } from './neighbours.js';
import { type Build, type SimulateOptions, withDefaults } from './options.js';
import { SpaceTracker } from './space-tracker.js';
import { type Progress, ReplayedThread, type ThreadHost } from './thread.js';
import { TimelineSampler } from './timeline.js';
import type { Space } from './user-memory.js';
import { fileOfIno, type World } from './world.js';

/** Words for everything but mem_map: page tables, radix-tree nodes, areas, inodes, tasks. */
const HEAP_WORDS = 4 << 20;
/** Accesses between switches: races need CPUs to change often, or one of them to stand still for long; a seed has one of these. */
const RUN_LENGTHS = [5, 12, 40, 150];
/** A solid-state disk: 60 to 120 µs a request. */
const DISK_LATENCY_NS = 60_000;
const DISK_JITTER_NS = 60_000;
/** Pages in flight: eight requests of 1 MiB. */
const BIO_MAX_PAGES = 256;
const DISK_DEPTH: number = 8 * BIO_MAX_PAGES;

/** Objects that must be gone when all processes are; but each CPU may keep a pte_chain for the next. */
const MUST_BE_FREED: readonly string[] = [
  'mm_struct',
  'vm_area_struct',
  'anon_vma',
  'anonhd',
  'anonmm',
  'pte_chain',
  'file',
  'bio',
  'mmu_notifier_mm',
  'kvm',
  'kvm_vcpu',
  'kvm_mmu_page',
  'mm_slot',
];

const KERNELS: Readonly<Record<Build, Partial<KernelConfig>>> = {
  smp: {},
  'up-preempt': { smp: false },
  up: { smp: false, preempt: false },
};

/** A machine with the program on it, ready to run. */
export interface Setup {
  readonly machine: Machine;
  readonly tracker: SpaceTracker;
  readonly sampler: TimelineSampler;
  readonly lanes: CpuLanes;
  readonly disk: BackingStore;
  readonly bookkeeping: Bookkeeping;
  /** Page indexes that entered the page cache, per file id, and how many left it. */
  readonly added: readonly Set<number>[];
  readonly removed: number[];
  readonly guest: Guest | null;
}

/** Builds the machine, boots the memory manager on it, and puts the recorded program's first thread on the run queue. */
export function setUp(world: World, options: SimulateOptions, memoryPages: number, swapPages: number): Setup {
  const { cpus, model, seed, scheduler, inject, thp } = withDefaults(options);
  const memoryWords = STATIC_WORDS + memoryPages * Page.$size + swapPages + HEAP_WORDS;
  const lanes = new CpuLanes(cpus);
  const machine = new Machine({
    cpus,
    model,
    seed,
    scheduler,
    runLength: RUN_LENGTHS[seed % RUN_LENGTHS.length],
    inject,
    memoryWords,
    hooks: machineHooks,
    observer: { onSwitch: (cpu, time, task) => lanes.switched(cpu, time, task) },
  });
  const disk = new BackingStore();
  const added = world.recording.files.map(() => new Set<number>());
  const removed = world.recording.files.map(() => 0);
  attachBlockMap(disk);
  attachDisk(machine, disk);
  machine.boot(boot({ ...bootOptions(world, options, memoryPages), cpus, memoryPages, swapPages }));
  machine.boot(world.gates.init(world.program.threads.length + companions(options) + 1));
  machine.boot(world.makeInodes());
  observePageCache(added, removed);
  const tracker = new SpaceTracker(world.recording.header.spaces.length);
  const sampler = new TimelineSampler(world, tracker);
  const tasks = options.khugepaged ? [...backgroundTasks, khugepagedTask] : backgroundTasks;
  for (const { name, body } of tasks) machine.spawn(name, body, { daemon: true });
  const bookkeeping = new Bookkeeping();
  const onOperation = (): void => {
    sampler.operation(machine.time);
    bookkeeping.look(machine.heap.live);
  };
  const guest = spawnProgram(machine, world, tracker, onOperation, options);
  addInvariants(machine, world);
  if (thp !== 'never')
    machine.addInvariant({ name: 'huge-counts-agree', everyTicks: 4, atEnd: true, check: hugeCountsAgree });
  if (guest !== null) machine.addInvariant(guest.invariant);
  return { machine, tracker, sampler, lanes, disk, bookkeeping, added, removed, guest };
}

/**
 * The kernel of the recording: its read-ahead window, its fault-around. The window was chosen for that machine's memory; on a machine with little,
 * as much as a sixteenth of it.
 */
function bootOptions(
  world: World,
  options: SimulateOptions,
  memoryPages: number,
): Omit<Parameters<typeof boot>[0], 'cpus' | 'memoryPages' | 'swapPages'> {
  const { machine } = world.recording.header;
  const window = Math.min(
    Math.floor(Math.max(...Object.values(machine.readAheadKb), 0) / 4),
    Math.max(4, memoryPages >> 4),
  );
  return {
    generation: options.generation ?? 'freeze-refs',
    rmap: options.rmap ?? 'anon-vma',
    transparentHugePages: { mode: options.thp ?? 'never', order: options.thpOrder ?? 9, tails: options.thpTails },
    khugepaged: options.khugepaged ?? false,
    kernel: KERNELS[options.build ?? 'smp'],
    without: options.without ?? [],
    readahead: { model: '6.18', largeFolios: true, ...(window > 0 ? { raPages: window } : {}) },
    mm: { faultAroundPages: Math.max(1, machine.faultAroundBytes / 4096) },
  };
}

/**
 * Requests for neighbouring pages that come one after the other are one request to the drive, as bios of up to 1 MiB are: their pages arrive
 * together.
 */
function attachDisk(machine: Machine, disk: BackingStore): void {
  let last = { ino: 0, index: 0, run: 0, done: 0 };
  machine.attachDevice(DISK_DEVICE, {
    name: 'disk',
    queueDepth: DISK_DEPTH,
    latency: (request, random) => {
      const { words } = machine.heap;
      const ino = words[Bio.ino(request as Ptr<Bio>)];
      const index = words[Bio.index(request as Ptr<Bio>)];
      const merges =
        ino === last.ino && index === last.index + 1 && last.run < BIO_MAX_PAGES && last.done > machine.time;
      const done = merges ? last.done : machine.time + DISK_LATENCY_NS + random.below(DISK_JITTER_NS);
      last = { ino, index, run: merges ? last.run + 1 : 1, done };
      return done - machine.time;
    },
    service: (request, words, fails) => disk.service(request as Ptr<Bio>, words, fails),
    interrupt: diskInterrupt,
  });
}

function observePageCache(added: readonly Set<number>[], removed: number[]): void {
  setPageCacheObserver({
    added: (ino, index) => void added[fileOfIno(ino)]?.add(index),
    removed: (ino) => {
      const file = fileOfIno(ino);
      if (file >= 0) removed[file] += 1;
    },
  });
}

function spawnProgram(
  machine: Machine,
  world: World,
  spaces: SpaceTracker,
  onOperation: () => void,
  options: SimulateOptions,
): Guest | null {
  const spawn = (thread: number, space: Space | null, after: Progress | null): Ptr<TaskStruct> => {
    const { comm, tid, pid } = world.program.threads[thread];
    return machine.spawn(`${comm}/${tid}`, () => new ReplayedThread(host, thread, space).run(after), {
      pid: tid,
      tgid: pid,
    });
  };
  const threads = world.program.threads.length;
  const { neighbours, migrate } = withDefaults(options);
  const others = companions(options);
  const hugePages = (options.thp ?? 'never') !== 'never';
  const guest = options.guest ? new Guest(world, machine.config.seed, threads + others, hugePages) : null;
  const host: ThreadHost = {
    world,
    spaces,
    guest,
    spawn,
    readBack: options.swap !== undefined,
    setUserMode: (user) => machine.setUserMode(user),
    onOperation: () => {
      world.operations += 1;
      onOperation();
    },
  };
  spawn(0, null, null);
  for (let i = 0; i < neighbours; i++)
    machine.spawn(`neighbour/${i}`, () => neighbour(world, machine.config.seed * 64 + i, threads + i));
  if (migrate) machine.spawn('migrate', () => migrator(world, machine.config.seed, threads + neighbours));
  if (guest !== null) machine.spawn('guest', () => guest.run(threads + others - 1));
  machine.spawn('shutdown', () => shutDown(world, others));
  return guest;
}

function* neighbour(world: World, seed: number, gate: number): Op<void> {
  yield* new Neighbour(world, seed).run(() => world.ended);
  yield* world.gates.leave(gate);
}

function* migrator(world: World, seed: number, gate: number): Op<void> {
  yield* migrateAtRandom(seed, () => world.ended);
  yield* world.gates.leave(gate);
}

/** Tasks that run beside the program until it ends. Behind their gates is the one that counts a guest's invitations. */
function companions(options: SimulateOptions): number {
  const { neighbours, migrate, guest } = withDefaults(options);
  return neighbours + (migrate ? 1 : 0) + (guest ? 1 : 0);
}

/** Waits until every thread is gone, then brings the machine to rest, so that what must hold at rest can be checked. */
function* shutDown(world: World, others: number): Op<void> {
  const threads = world.program.threads.length;
  for (let thread = 0; thread < threads; thread++) yield* world.gates.waitForEnd(thread);
  world.ended = true;
  yield* world.gates.leave(threads + others);
  for (let i = 0; i < others; i++) yield* world.gates.waitForEnd(threads + i);
  yield* world.closeAll();
  yield* shutdown(world.allInodes());
  yield* endSwap();
  yield* shutdown(world.allInodes());
}

function addInvariants(machine: Machine, world: World): void {
  const universe = () => ({ mms: [], inodes: world.allInodes() });
  for (const { name, check } of mmInvariants)
    machine.addInvariant({ name, atEnd: true, check: () => check(universe()) });
  const mappings = () => world.allInodes().map((inode) => Inode.data(inode));
  // While stores may become visible out of order, a page that is being removed may lose its mapping before its slot.
  const always = machine.config.model === 'weak' ? {} : { everyTicks: 64 };
  machine.addInvariant({
    name: 'pages-know-their-place',
    ...always,
    atEnd: true,
    check: () => pagesKnowTheirPlace(mappings()),
  });
  machine.addInvariant({
    name: 'rcu-callbacks-invoked',
    atEnd: true,
    check: () => {
      const { callbacksQueued, callbacksInvoked } = rcuStatistics();
      // A CPU counts a batch after its last callback, and that may be the one which let the machine end.
      return callbacksQueued - callbacksInvoked <= machine.config.cpus
        ? null
        : `${callbacksQueued} callbacks queued, ${callbacksInvoked} invoked`;
    },
  });
  machine.addInvariant({ name: 'swap-places-freed', atEnd: true, check: placesLeft });
  machine.addInvariant({ name: 'objects-freed', atEnd: true, check: () => leftovers(machine) });
}

function leftovers(machine: Machine): string | null {
  const left = machine.heap.live.flatMap((live, id) => {
    const { $name } = kmemCacheOf(id).type;
    const kept = $name === 'pte_chain' ? machine.config.cpus : 0;
    return MUST_BE_FREED.includes($name) && live > kept ? [`${live} ${$name}`] : [];
  });
  return left.length === 0 ? null : `never freed: ${left.join(', ')}`;
}
