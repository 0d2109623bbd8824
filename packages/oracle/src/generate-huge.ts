// SPDX-License-Identifier: GPL-2.0-only
import fc from 'fast-check';
import { performed } from './generate.js';
import { ADVICE, HUGE_ARENA_PAGES, HUGE_PAGES, type OnRange, type Prot, type Script, type Step } from './script.js';

/** Huge pages that are mapped at the begin, of those that there is room for. */
const MAPPED = 2;
const ROOMS = 3;
const MOST_STEPS = 12;
const MOST_PROCESSES = 3;

const process = fc.nat(MOST_PROCESSES - 1);
/** The borders of huge pages, what lies next to them, and some within. */
const within = fc.constantFrom(0, 1, 5, 255, 256, 510, 511);
const page = fc.tuple(fc.nat(MAPPED - 1), within).map(([room, at]) => room * HUGE_PAGES + at);
const whole = fc
  .tuple(fc.nat(ROOMS - 1), fc.constantFrom(1, 1, 1, 2))
  .map(([room, rooms]) => ({ at: room * HUGE_PAGES, pages: Math.min(rooms, ROOMS - room) * HUGE_PAGES }));
const part = fc
  .tuple(page, fc.constantFrom(1, 2, 6, 256, 512))
  .map(([at, pages]) => ({ at, pages: Math.min(pages, HUGE_ARENA_PAGES - at) }));
const range = fc.oneof({ weight: 2, arbitrary: whole }, { weight: 3, arbitrary: part });
const prot = fc.constantFrom<Prot>('r', 'rw', 'none');

const onRange = (op: OnRange['op']) =>
  fc.tuple(process, range).map(([process, range]): Step => ({ op, process, ...range }));
const advice = fc.constantFrom(
  ...ADVICE.filter((advice) => ['dontneed', 'free', 'huge', 'nohuge', 'dontfork'].includes(advice)),
);
const mremap = fc.tuple(process, range, fc.oneof(whole, part), fc.nat(4)).map(([process, range, to, kind]): Step => {
  const pages = Math.min(range.pages, HUGE_ARENA_PAGES - to.at);
  return { op: 'mremap', process, at: range.at, pages, to: to.at, newPages: pages, stays: kind === 4 };
});

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record<Step & { op: 'write' }>({ op: fc.constant('write'), process, at: page }) },
  { weight: 4, arbitrary: fc.record<Step & { op: 'read' }>({ op: fc.constant('read'), process, at: page }) },
  { weight: 4, arbitrary: fc.record<Step & { op: 'fork' }>({ op: fc.constant('fork'), process, child: process }) },
  { weight: 1, arbitrary: fc.record<Step & { op: 'exit' }>({ op: fc.constant('exit'), process }) },
  { weight: 2, arbitrary: onRange('munmap') },
  { weight: 3, arbitrary: mremap },
  {
    weight: 3,
    arbitrary: fc
      .tuple(process, range, prot)
      .map(([process, range, prot]): Step => ({ op: 'mprotect', process, ...range, prot })),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(process, range, advice)
      .map(([process, range, advice]): Step => ({ op: 'madvise', process, ...range, advice })),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(process, range)
      .map(([process, range]): Step => ({ op: 'madvise', process, ...range, advice: 'collapse' })),
  },
  { weight: 3, arbitrary: onRange('swap-out') },
  { weight: 1, arbitrary: fc.record<Step & { op: 'swapoff' }>({ op: fc.constant('swapoff'), process }) },
  { weight: 1, arbitrary: onRange('mlock') },
  { weight: 1, arbitrary: onRange('munlock') },
  {
    weight: 2,
    arbitrary: fc
      .tuple(process, process, page, fc.constantFrom('peek', 'poke', 'vm-write'))
      .map(([process, of, at, op]): Step => ({ op, process, of, at }) as Step),
  },
);

/** Two huge pages, of which the first is written to. */
const BEGIN: readonly Step[] = [
  { op: 'mmap', process: 0, at: 0, pages: MAPPED * HUGE_PAGES, prot: 'rw', shared: false, file: null, index: 0 },
  { op: 'madvise', process: 0, at: 0, pages: MAPPED * HUGE_PAGES, advice: 'huge' },
  { op: 'write', process: 0, at: 0 },
];

/** Scripts of up to three processes with huge pages. Short ones: each step has 1,024 pages to look at in each process. */
export const hugeScripts = (): fc.Arbitrary<Script> =>
  fc.noBias(fc.array(step, { maxLength: MOST_STEPS, size: 'max' })).map((wishes) => ({
    huge: true,
    files: [],
    steps: performed([...BEGIN, ...wishes], MOST_PROCESSES, HUGE_ARENA_PAGES),
  }));
