// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Op, Ptr } from '@lockless/cpu';
import { condResched, downWrite, load, NULL, omitGuards, spinLock, spinUnlock, upWrite } from '@lockless/cpu';
import { MmStruct, type Page, type VmAreaStruct } from '@lockless/mm-types';
import { getPageUnlessZero, lockPage, pfnToPage, putPage, testClearPageDirty, unlockPage } from '@lockless/page';
import { Machine, type MachineOptions, Random, type RunOutcome } from '@lockless/simulator';
import type { RmapDesign } from '../src/index.js';
import { mapArea } from './address-space.js';
import { faultAnon, faultFile, munmap } from './memory.js';
import { type Rmap, rmap, withPackage } from './package-under-test.js';
import { type Action, ALL, act, clean, fork, hardwareWrite } from './stress-actions.js';
import { BASES, boot, broken, lostDirtyMark, lostObject, lostPage, newWorld, W, type World } from './stress-world.js';

export interface StressOptions extends MachineOptions {
  /** anon-vma by default. */
  readonly rmap?: RmapDesign;
  /** Guards to leave out. */
  readonly without?: readonly string[];
  readonly rounds?: number;
  /** Pages of the file, and of each of the two stretches of addresses; 16 by default. Few make for close races. */
  readonly pages?: number;
  /** Address spaces; 3 by default. */
  readonly mms?: number;
  /** What each task may do; all of it by default. */
  readonly actions?: readonly Action[];
}

/** Tasks on all CPUs map, fault, fork, unmap, reclaim and truncate the same few address spaces and one file. */
export function stress(api: Rmap, options: StressOptions): RunOutcome {
  return withPackage(api, () => {
    const {
      rounds = 40,
      pages = 16,
      mms = 3,
      actions = ALL,
      rmap: design = 'anon-vma',
      without = [],
      ...config
    } = options;
    const machine = new Machine({ timerTick: 20_000, livelockSteps: 200_000, ...config });
    const world = newWorld();
    machine.boot(choose(design, without));
    machine.boot(boot(world, machine, pages, mms));
    for (const { name, check } of rmap.rmapInvariants) machine.addInvariant({ name, check: () => check(world.mms) });
    machine.addInvariant({ name: 'no page is lost', check: () => lostPage(world) });
    machine.addInvariant({ name: 'no dirty mark is lost', check: () => lostDirtyMark(world) });
    machine.addInvariant({ name: 'no object is lost', check: () => lostObject(world, machine) });
    for (let id = 0; id <= machine.config.cpus; id++) {
      const random = new Random(machine.config.seed, 100 + id);
      machine.spawn(`task ${id}`, function* () {
        for (let round = 0; round < rounds; round++) yield* act(world, random, actions[random.below(actions.length)]);
      });
    }
    return machine.run({ maxSteps: 8_000_000 });
  });
}

function* choose(design: RmapDesign, without: readonly string[]): Op<void> {
  omitGuards(without);
  yield* rmap.selectReverseMapping(design);
}

/** The hardware writes through one entry, while it is zapped and made again, over and over. */
export function dirtyStress(api: Rmap, options: MachineOptions): RunOutcome {
  return withPackage(api, () => {
    const machine = new Machine(options);
    const world = newWorld();
    const address = BASES[0];
    let zapping = true;
    const random = new Random(machine.config.seed, 100);
    machine.boot(boot(world, machine, 1, 1));
    machine.addInvariant({ name: 'no dirty mark is lost', check: () => lostDirtyMark(world) });
    machine.spawn('hardware', function* () {
      while (zapping) {
        for (let loads = random.below(40); loads > 0; loads--) yield* load(MmStruct.pgd(world.mms[0]));
        yield* hardwareWrite(world, world.mms[0], address);
      }
    });
    machine.spawn('zap', function* () {
      const vma = (yield* rmap.findVma(world.mms[0], address)) as Ptr<VmAreaStruct>;
      for (let round = 0; round < 20; round++) {
        yield* faultFile(vma, address, world.cache);
        yield* rmap.zapPageRange(vma, address, address + 1);
        if (yield* testClearPageDirty(world.cache[0])) world.written.delete(world.cache[0]);
      }
      zapping = false;
    });
    return machine.run({ maxSteps: 1_000_000 });
  });
}

/** One entry is rewritten, and so empty for a moment, over and over, while its page is cleaned. */
export function cleaningStress(api: Rmap, options: MachineOptions): RunOutcome {
  return withPackage(api, () => {
    const machine = new Machine(options);
    const world = newWorld();
    machine.boot(boot(world, machine, 1, 1));
    const [mm] = world.mms;
    const [page] = world.cache;
    const address = BASES[0];
    machine.spawn('protect', function* () {
      yield* faultFile((yield* rmap.findVma(mm, address)) as Ptr<VmAreaStruct>, address, world.cache);
      const ptep = yield* rmap.pteOffsetMap(mm, address);
      if (ptep === NULL) broken('the table is gone');
      for (let round = 0; round < 40; round++) {
        yield* lockPage(page);
        yield* rmap.ptepSetAccessFlags(mm, address, ptep, rmap.pteMkwrite(yield* rmap.readPte(ptep)));
        yield* unlockPage(page);
        yield* spinLock(rmap.pteLockptr(mm, ptep));
        yield* rmap.ptepModifyProtCommit(mm, address, ptep, yield* rmap.ptepModifyProtStart(mm, address, ptep));
        yield* spinUnlock(rmap.pteLockptr(mm, ptep));
      }
    });
    machine.spawn('clean', function* () {
      for (let round = 0; round < 20; round++) yield* clean(world, page);
    });
    return machine.run({ maxSteps: 1_000_000 });
  });
}

/**
 * An area with one anonymous page is made and unmapped, over and over, so its anon_vma is freed and at once given to the next; meanwhile
 * others look the page up, and may come upon the anon_vma in its next life.
 */
export function anonVmaReuse(api: Rmap, options: MachineOptions): RunOutcome {
  return withPackage(api, () => {
    const machine = new Machine(options);
    const world = newWorld();
    machine.boot(boot(world, machine, 1, 1));
    for (const { name, check } of rmap.rmapInvariants) machine.addInvariant({ name, check: () => check(world.mms) });
    machine.addInvariant({ name: 'no object is lost', check: () => lostObject(world, machine) });
    const [mm] = world.mms;
    const start = BASES[1];
    let page: Ptr<Page> | Null = NULL;
    let going = true;
    machine.spawn('owner', function* () {
      yield* downWrite(MmStruct.mmapSem(mm));
      for (let round = 0; round < 30; round++) {
        yield* munmap(mm, start, start + 1);
        const vma = yield* mapArea(mm, { start, pages: 1, vmFlags: W, file: NULL, pgoff: start });
        yield* faultAnon(vma, start);
        const ptep = yield* rmap.pteOffsetMap(mm, start);
        if (ptep === NULL) broken('the table is gone');
        page = pfnToPage(rmap.ptePfn(yield* rmap.readPte(ptep)));
      }
      going = false;
      yield* upWrite(MmStruct.mmapSem(mm));
    });
    for (let id = 1; id < machine.config.cpus; id++) {
      machine.spawn(`reader ${id}`, function* () {
        while (going) {
          const found = page;
          if (found === NULL) {
            yield* condResched();
            continue;
          }
          if (!(yield* getPageUnlessZero(found))) continue;
          yield* rmap.pageReferenced(found, false);
          yield* putPage(found);
        }
      });
    }
    return machine.run({ maxSteps: 1_000_000 });
  });
}

/** Pages that several address spaces map are converted, one after the other, while their entries are zapped and forked. */
export function conversionRace(api: Rmap, options: StressOptions): RunOutcome {
  return withPackage(api, () => {
    const { without = [], pages = 8, mms = 4, ...config } = options;
    const machine = new Machine(config);
    const world = newWorld();
    machine.boot(choose('objrmap', without));
    machine.boot(boot(world, machine, pages, mms));
    machine.boot(faultAll(world));
    for (const { name, check } of rmap.rmapInvariants) machine.addInvariant({ name, check: () => check(world.mms) });
    for (const mm of world.mms) {
      machine.spawn('zap', function* () {
        const vma = (yield* rmap.findVma(mm, BASES[0])) as Ptr<VmAreaStruct>;
        for (let i = 0; i < pages; i++) yield* rmap.zapPageRange(vma, BASES[0] + i, BASES[0] + i + 1);
      });
    }
    machine.spawn('convert', function* () {
      for (const page of world.cache) {
        yield* lockPage(page);
        yield* rmap.pageConvertAnon(page);
        yield* unlockPage(page);
      }
    });
    machine.spawn('fork', () => fork(world.mms[0]));
    return machine.run({ maxSteps: 1_000_000 });
  });
}

function* faultAll(world: World): Op<void> {
  for (const mm of world.mms) {
    const vma = (yield* rmap.findVma(mm, BASES[0])) as Ptr<VmAreaStruct>;
    for (let i = 0; i < world.cache.length; i++) yield* faultFile(vma, BASES[0] + i, world.cache);
  }
}

/** What went wrong in a run, or null. */
export function wrongIn({ status, violation }: RunOutcome): string | null {
  return violation === null ? (status === 'finished' ? null : status) : `${violation.kind}: ${violation.report()}`;
}
