// SPDX-License-Identifier: GPL-2.0-only
import type { Recording } from '@lockless/recording';
import type { MemorySize } from './options.js';
import { SimulationInputError } from './options.js';
import type { Truth } from './truth.js';

/** Fewer frames than this cannot boot: zero page, watermarks, per-CPU lists. */
const SMALLEST = 256;
const DEFAULT_PAGES = 65_536;

/** Pages that the real program had: all it ever had in the page cache, and the most anonymous memory at one time. */
export function footprint(recording: Recording, truth: Truth): number {
  let cached = 0;
  for (const file of recording.files) {
    if (file.kind !== 'regular') continue;
    const pages = new Set(truth.added[file.id]);
    for (const [first, last] of file.cached) for (let index = first; index <= last; index++) pages.add(index);
    cached += pages.size;
  }
  return cached + peakAnonymous(recording, truth);
}

function peakAnonymous(recording: Recording, truth: Truth): number {
  const now = recording.header.spaces.map(() => 0);
  let sum = 0;
  let peak = 0;
  for (const [, space, , anon] of truth.rssChanges) {
    sum += anon - now[space];
    now[space] = anon;
    peak = Math.max(peak, sum);
  }
  return peak;
}

/** Anonymous memory that no swap area takes stays, whatever reclaim does; and file pages need some room to come and go. */
const unreclaimable = (recording: Recording, truth: Truth, swapPages: number): number =>
  Math.max(0, Math.ceil(peakAnonymous(recording, truth) * 1.25) - swapPages);

const shareOf = (recording: Recording, truth: Truth, percent: number): number =>
  Math.floor((footprint(recording, truth) * percent) / 100);

/** Places of the swap area. */
export function swapFor(swap: MemorySize | undefined, recording: Recording, truth: Truth): number {
  if (swap === undefined) return 0;
  return 'pages' in swap ? swap.pages : shareOf(recording, truth, swap.percent);
}

/** Frames to simulate. Throws SimulationInputError when they are too few. */
export function framesFor(
  memory: MemorySize | undefined,
  recording: Recording,
  truth: Truth,
  swapPages: number,
): number {
  if (memory === undefined) return DEFAULT_PAGES;
  if ('pages' in memory) return memory.pages;
  const share = shareOf(recording, truth, memory.percent);
  const frames = Math.max(share, unreclaimable(recording, truth, swapPages));
  if (frames < SMALLEST)
    throw new SimulationInputError(
      `${memory.percent} % of the footprint is ${frames} pages; at least ${SMALLEST} are needed`,
    );
  return frames;
}
