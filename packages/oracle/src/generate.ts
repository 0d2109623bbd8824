// SPDX-License-Identifier: GPL-2.0-only
import fc from 'fast-check';
import { Mapped } from './mapped.js';
import {
  ADVICE,
  Living,
  MAX_PROCESSES,
  MSYNC_MODES,
  type OnRange,
  PROTS,
  type Script,
  type ScriptFile,
  type Step,
} from './script.js';

/** Generated scripts use the lower half of the arena, so that what they map meets what they mapped. */
const PAGES = 32;
const LONGEST_RANGE = 16;
const FILES: readonly ScriptFile[] = [
  { kind: 'disk', pages: 16 },
  { kind: 'memory', pages: 16 },
];
const LONGEST_FILE = 20;
/**
 * Without the ones that bring read-ahead back: which of its pages are there when a fault looks around depends on the disk. Without huge
 * pages, for which there is no room.
 */
const GENERATED_ADVICE = ADVICE.filter((advice) => !['normal', 'sequential', 'huge', 'nohuge'].includes(advice));
const MOST_STEPS = 40;
/** Areas that a script begins with at most. */
const FIRST_AREAS = 4;

const process = fc.nat(3);
const page = fc.nat(PAGES - 1);
const prot = fc.constantFrom(...([...PROTS].reverse() as (typeof PROTS)[number][]));
/** A range within the pages that are used: long where there is room. */
const range = fc
  .tuple(page, fc.integer({ min: 1, max: LONGEST_RANGE }))
  .map(([at, pages]) => ({ at, pages: Math.min(pages, PAGES - at) }));
/** Null shrinks first: anonymous memory is the simplest. */
const anyFile = fc.nat(FILES.length - 1);
const file = fc.option(anyFile, { freq: 3 });

const mmap = fc
  .tuple(process, range, prot, fc.boolean(), file, fc.nat(FILES[0].pages - 1))
  .map(([process, range, prot, shared, file, index]): Step => {
    return { op: 'mmap', process, ...range, prot, shared, file, index: file === null ? 0 : index };
  });
const mremap = fc
  .tuple(process, range, page, fc.integer({ min: 1, max: LONGEST_RANGE }), fc.nat(9), fc.nat(9))
  .map(([process, range, to, newPages, way, kind]): Step => {
    // A second mapping; a move that leaves the old place; most often neither.
    const pages = kind === 9 ? 0 : range.pages;
    const stays = kind >= 7 && kind < 9;
    const target = way === 9 ? null : way < 4 || stays ? to : range.at;
    const wanted = stays ? pages : newPages;
    const fits = target === null ? wanted : Math.min(wanted, PAGES - target);
    return { op: 'mremap', process, at: range.at, pages: stays ? fits : pages, to: target, newPages: fits, stays };
  });
const remapFilePages = fc
  .tuple(process, range, fc.nat(FILES[0].pages - 1))
  .map(([process, range, index]): Step => ({ op: 'remap-file-pages', process, ...range, index }));
const transfer = fc
  .tuple(process, anyFile, fc.nat(LONGEST_FILE), fc.boolean())
  .map(([process, file, index, writes]): Step => ({ op: writes ? 'pwrite' : 'pread', process, file, index }));
const access = fc
  .tuple(process, process, page, fc.constantFrom('peek', 'poke', 'vm-read', 'vm-write'))
  .map(([process, of, at, op]): Step => ({ op, process, of, at }) as Step);
const onRange = (op: OnRange['op'] | 'contents') =>
  fc.tuple(process, range).map(([process, range]): Step => ({ op, process, ...range }));

/** Touches most: what differs, differs in what a touch finds. */
const step = fc.oneof(
  { weight: 6, arbitrary: mmap },
  { weight: 7, arbitrary: fc.record<Step & { op: 'read' }>({ op: fc.constant('read'), process, at: page }) },
  { weight: 9, arbitrary: fc.record<Step & { op: 'write' }>({ op: fc.constant('write'), process, at: page }) },
  { weight: 4, arbitrary: fc.record<Step & { op: 'fork' }>({ op: fc.constant('fork'), process, child: process }) },
  { weight: 1, arbitrary: fc.record<Step & { op: 'exit' }>({ op: fc.constant('exit'), process }) },
  { weight: 2, arbitrary: onRange('munmap') },
  { weight: 4, arbitrary: mremap },
  { weight: 2, arbitrary: remapFilePages },
  {
    weight: 3,
    arbitrary: fc
      .tuple(process, range, prot)
      .map(([process, range, prot]): Step => ({ op: 'mprotect', process, ...range, prot })),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(process, range, fc.constantFrom(...GENERATED_ADVICE))
      .map(([process, range, advice]): Step => ({ op: 'madvise', process, ...range, advice })),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(process, range, fc.constantFrom(...MSYNC_MODES))
      .map(([process, range, mode]): Step => ({ op: 'msync', process, ...range, mode })),
  },
  { weight: 1, arbitrary: onRange('mlock') },
  { weight: 1, arbitrary: onRange('munlock') },
  { weight: 4, arbitrary: access },
  {
    weight: 2,
    arbitrary: fc
      .tuple(process, anyFile, fc.nat(LONGEST_FILE), fc.integer({ min: 1, max: LONGEST_RANGE }))
      .map(([process, file, index, pages]): Step => ({ op: 'punch', process, file, index, pages })),
  },
  { weight: 4, arbitrary: onRange('swap-out') },
  {
    weight: 1,
    arbitrary: fc
      .tuple(process, fc.constantFrom('swapoff', 'swapoff', 'swapon'))
      .map(([process, op]) => ({ op, process }) as Step),
  },
  { weight: 1, arbitrary: onRange('contents') },
  { weight: 1, arbitrary: fc.record<Step & { op: 'fsync' }>({ op: fc.constant('fsync'), process, file: anyFile }) },
  { weight: 1, arbitrary: fc.record<Step & { op: 'drop' }>({ op: fc.constant('drop'), process, file: anyFile }) },
  {
    weight: 3,
    arbitrary: transfer,
  },
  {
    weight: 2,
    arbitrary: fc.record<Step & { op: 'truncate' }>({
      op: fc.constant('truncate'),
      process,
      file: anyFile,
      pages: fc.nat(LONGEST_FILE),
    }),
  },
);

/** A step, and whether it goes where it says instead of where something is mapped. */
interface Wish {
  readonly step: Step;
  readonly astray: boolean;
}
const astray = fc.nat(9).map((n) => n === 9);
const wish: fc.Arbitrary<Wish> = fc.record({ step, astray });

/**
 * Scripts that can be performed, of one to four processes and up to `longest` steps. They shrink to fewer and simpler steps. Without fast-check's bias
 * to small values: short scripts, which touch the first page only, find little.
 */
export const scripts = (longest: number = MOST_STEPS): fc.Arbitrary<Script> =>
  fc
    .noBias(
      fc.tuple(
        fc.array(fc.record({ step: mmap, astray }), { maxLength: FIRST_AREAS }),
        fc.array(wish, { maxLength: longest - FIRST_AREAS, size: 'max' }),
      ),
    )
    .map(([first, then]) => possible([...first, ...then]));

/** Leads steps to what is mapped, but for those that go astray. */
function possible(wishes: readonly Wish[]): Script {
  const maps = new Mapped();
  const lead = (step: Step, i: number): Step => {
    const led = wishes[i].astray ? step : maps.lead(step);
    maps.follow(led);
    return led;
  };
  const wanted = wishes.map(({ step }) => step);
  return withUsedFiles(FILES, performed(wanted, MAX_PROCESSES, PAGES, lead));
}

/** Gives steps to processes that live, at most so many; leaves out those that no process can do. Of who lives at the end all pages are read. */
export function performed(
  wishes: readonly Step[],
  mostProcesses: number,
  pages: number,
  lead: (step: Step, wish: number) => Step = (step) => step,
): Step[] {
  const living = new Living();
  const done: Step[] = [];
  for (const [i, wanted] of wishes.entries()) {
    const { all } = living;
    if (all.length === 0 || (wanted.op === 'fork' && all.length >= mostProcesses)) continue;
    const step = lead(owned(wanted, all[wanted.process % all.length], living), i);
    living.follow(step);
    done.push(step);
  }
  for (const process of living.all) done.push({ op: 'contents', process, at: 0, pages });
  return done;
}

/** The step as one of a process that lives. */
function owned(wanted: Step, process: number, { all, free }: Living): Step {
  if (wanted.op === 'fork') return { ...wanted, process, child: free ?? 0 };
  return 'of' in wanted ? { ...wanted, process, of: all[wanted.of % all.length] } : { ...wanted, process };
}

/** The script of these steps with only those of the files that a step names, numbered from 0. */
export function withUsedFiles(files: readonly ScriptFile[], steps: readonly Step[]): Script {
  const used = files.map((_, i) => i).filter((i) => steps.some((step) => 'file' in step && step.file === i));
  const renumbered = (step: Step): Step =>
    'file' in step && step.file !== null ? { ...step, file: used.indexOf(step.file) } : step;
  return { files: used.map((i) => files[i]), steps: steps.map(renumbered) };
}
