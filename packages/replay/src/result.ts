// SPDX-License-Identifier: GPL-2.0-only
import { installEngine, peek } from '@lockless/cpu';
import { AddressSpace, Inode } from '@lockless/mm-types';
import { vmEvents, zonePageState } from '@lockless/page';
import { rcuStatistics } from '@lockless/rcu';
import type {
  FaultCounts,
  FileResult,
  InvariantResult,
  MachineResult,
  MemoryResult,
  ProcessResult,
  RunResult,
  ViolationReport,
} from '@lockless/report';
import { shellWords } from '@lockless/report';
import type { RunOutcome, Violation } from '@lockless/simulator';
import type { Circumstances } from './cause.js';
import { compare } from './compare.js';
import type { Setup } from './machine-setup.js';
import { DEFAULTS, type SimulateOptions, withDefaults } from './options.js';
import type { SpaceOutcome } from './space-tracker.js';
import { faultCounts } from './truth.js';
import type { World } from './world.js';

export interface Finished {
  readonly world: World;
  readonly setup: Setup;
  readonly outcome: RunOutcome;
  readonly stopped: 'bounded' | 'interrupted' | null;
  readonly options: SimulateOptions;
  readonly memoryPages: number;
  readonly swapPages: number;
  readonly seconds: number;
}

/** Everything that is reported of a run. Looks at the machine from outside. */
export function resultOf(finished: Finished): RunResult {
  const { machine } = finished.setup;
  const before = installEngine({
    words: machine.heap.words,
    step() {
      throw new Error('the run is over');
    },
  });
  try {
    return assemble(finished);
  } finally {
    installEngine(before.words.length === 0 ? null : before);
  }
}

function assemble(finished: Finished): RunResult {
  const { world, setup, outcome, options, memoryPages, swapPages, seconds } = finished;
  const { recording, program } = world;
  const processes = recording.header.spaces.map(({ id }) => processResult(world, setup, id));
  const { cpus, seed, model, scheduler, generation, rmap, thp, thpTails, build, inject, without } = {
    ...DEFAULTS,
    ...options,
  };
  return {
    recording: {
      path: options.path ?? '',
      command: recording.header.command,
      kernel: recording.header.machine.kernel,
      threads: program.threads.length,
      processes: new Set(program.threads.map(({ pid }) => pid)).size,
    },
    configuration: {
      cpus,
      memoryPages,
      swapPages,
      seed,
      model,
      scheduler,
      generation,
      rmap,
      ...(thp === 'never' ? {} : { thp, thpTails }),
      build,
      inject: { ...inject },
      without,
    },
    verdict: finished.stopped ?? (outcome.status === 'finished' ? 'holds' : 'violated'),
    violation: outcome.violation === null ? null : violationReport(outcome.violation),
    operations: world.operations,
    operationsTotal: program.operations,
    accesses: outcome.steps,
    time: outcome.time,
    seconds,
    processes,
    files: recording.files.map(({ id }) => fileResult(world, setup, id)),
    memory: memoryResult(world, setup),
    machine: machineResult(world, setup),
    comparison: compare(
      recording,
      world.truth,
      processes,
      setup.added,
      setup.sampler.rssSamples(),
      circumstances(finished),
    ),
    invariants: invariantResults(world, outcome),
    timeline: { ...setup.sampler.timeline(), cpus: setup.lanes.at(outcome.time) },
    replay: replayCommand(options, memoryPages, swapPages),
  };
}

function circumstances({ world, setup, outcome, options }: Finished): Circumstances {
  return {
    incomplete: outcome.status !== 'finished',
    errors:
      Object.keys(world.newErrors).length > 0 || Object.values(setup.machine.statistics.injected).some((n) => n > 0),
    reclaimed: vmEvents().pgsteal > 0,
    neighbours: (options.neighbours ?? 0) > 0 || options.guest === true,
  };
}

function violationReport(violation: Violation): ViolationReport {
  return {
    kind: violation.kind,
    message: violation.message,
    cpu: violation.cpu,
    task: violation.task,
    stacks: violation.stacks.map(({ cpu, context, status, frames }) => ({
      cpu,
      task: context,
      status,
      frames: frames.map(({ name, location }) => `${name} (${location})`),
    })),
    time: violation.time,
  };
}

/** The simulated kernel counts how a fault was resolved; the report's kinds are what the program did. */
function simulatedFaults({ faults }: SpaceOutcome): FaultCounts {
  const { anonymous, zero, file, cow, reuse, mkwrite, swap, spurious } = faults;
  const kinds = { anonymous: anonymous + zero, file, cow: cow + reuse, mkwrite };
  return { ...kinds, total: kinds.anonymous + kinds.file + kinds.cow + kinds.mkwrite + swap + spurious };
}

function processResult(world: World, { tracker }: Setup, id: number): ProcessResult {
  const { pid, born } = world.recording.header.spaces[id];
  const real = world.truth.spaces[id];
  const outcome = tracker.outcomes[id];
  return {
    pid,
    space: id,
    comm: world.program.threads.find((thread) => thread.pid === pid)?.comm ?? '',
    born,
    faults: { simulated: simulatedFaults(outcome), real: faultCounts(real.faults) },
    majorFaults: outcome.faults.major,
    rssAtExit: { simulated: outcome.rss, real: real.rssAtExit },
    rssPeak: { simulated: { ...outcome.peak }, real: { ...real.rssPeak } },
    exit: world.exits.get(pid) ?? null,
  };
}

function fileResult(world: World, { added, removed }: Setup, id: number): FileResult {
  const file = world.recording.files[id];
  const mapping = Inode.data(world.inode(id));
  const real = world.truth.added[id];
  return {
    id,
    path: file.path,
    kind: file.kind,
    inode: file.inode,
    sizeBytes: file.size,
    cachedBefore: file.cached.reduce((sum, [first, last]) => sum + last - first + 1, 0),
    added: {
      simulated: added[id].size,
      real: real.size,
      both: [...real].filter((index) => added[id].has(index)).length,
    },
    removed: { simulated: removed[id], real: world.truth.removed[id] },
    hits: peek(AddressSpace.hits(mapping)),
    misses: peek(AddressSpace.misses(mapping)),
    cachedAtEnd: peek(AddressSpace.nrpages(mapping)),
  };
}

function memoryResult(world: World, { sampler, bookkeeping }: Setup): MemoryResult {
  const events = vmEvents();
  const rcu = rcuStatistics();
  return {
    zone: zonePageState(),
    events,
    reclaim: {
      scanned: events.pgscan_kswapd + events.pgscan_direct,
      reclaimed: events.pgsteal,
      kswapdWakeups: events.pageoutrun,
      directReclaims: events.allocstall,
    },
    swap: { pagesIn: events.pswpin, pagesOut: events.pswpout },
    lookups: {
      total: events.find_get_page_lookups,
      hits: events.filemap_hit,
      misses: events.filemap_miss,
      speculativeRetries: events.speculative_get_failed + events.speculative_slot_moved,
    },
    rcu: { gracePeriods: rcu.gracePeriods, callbacks: rcu.callbacksInvoked },
    reverseMapping: bookkeeping.result(),
    lowestFree: Number.isFinite(sampler.lowestFree) ? sampler.lowestFree : zonePageState().nr_free_pages,
    contents: { ...world.contents.counts },
  };
}

function machineResult(world: World, { machine, disk, guest }: Setup): MachineResult {
  const { statistics, memoryStatistics } = machine;
  return {
    contextSwitches: statistics.contextSwitches,
    interrupts: statistics.timerInterrupts + statistics.deviceInterrupts,
    staleLoads: memoryStatistics.staleLoads,
    bufferedStores: memoryStatistics.bufferedStores,
    lockContentions: statistics.contended,
    injected: Object.fromEntries(Object.entries(statistics.injected).filter(([, count]) => count > 0)),
    newErrors: { ...world.newErrors },
    diskReads: disk.counts.reads,
    diskWrites: disk.counts.writes,
    ...(guest === null ? {} : { guest: guest.counts() }),
  };
}

function invariantResults(world: World, outcome: RunOutcome): InvariantResult[] {
  const { fileReads, anonymousReads, wrong } = world.contents.counts;
  return [{ name: 'contents', checked: fileReads + anonymousReads, violations: wrong }, ...outcome.invariants];
}

/** A shell command that repeats the run. */
function replayCommand(options: SimulateOptions, memoryPages: number, swapPages: number): string {
  const { path, cpus, seed, model, scheduler, generation, inject, without, ...rest } = withDefaults(options);
  const { rmap, thp, thpOrder, thpTails, build, neighbours, migrate, guest, khugepaged, limit } = rest;
  const always = { cpus, memory: `${memoryPages * 4}K`, seed, model, scheduler, generation };
  const sometimes = [
    ...(swapPages === 0 ? [] : [['swap', `${swapPages * 4}K`]]),
    ...(rmap === DEFAULTS.rmap ? [] : [['rmap', rmap]]),
    ...(thp === 'never' ? [] : [['thp', thp]]),
    ...(thp === 'never' || thpOrder === DEFAULTS.thpOrder ? [] : [['thp-order', String(thpOrder)]]),
    ...(thpTails === DEFAULTS.thpTails ? [] : [['thp-tails', thpTails]]),
    ...(build === DEFAULTS.build ? [] : [['build', build]]),
    ...Object.entries(inject).map(([kind, rate]) => ['inject', `${kind}=${rate}`]),
    ...(neighbours > 0 ? [['neighbours', String(neighbours)]] : []),
    ...without.map((guard) => ['without', guard]),
    ...(limit === null ? [] : [['limit', String(limit)]]),
  ];
  const flags = [...Object.entries(always), ...sometimes].flatMap(([name, value]) => [`--${name}`, String(value)]);
  if (migrate) flags.push('--migrate');
  if (guest) flags.push('--guest');
  if (khugepaged) flags.push('--khugepaged');
  return shellWords(['lockless', 'run', path.startsWith('-') ? `./${path}` : path, ...flags]);
}
