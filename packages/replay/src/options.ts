// SPDX-License-Identifier: GPL-2.0-only
import type { FaultKind } from '@lockless/cpu';
import { guards } from '@lockless/cpu';
import type { RmapDesign, TailDesign, TransparentHugePages } from '@lockless/mm';
import type { Generation } from '@lockless/pagecache';

/** Simulated memory: frames, or a share of what the program needs. */
export type MemorySize = { readonly pages: number } | { readonly percent: number };

/** CONFIG_SMP with CONFIG_PREEMPT; one CPU with CONFIG_PREEMPT, and without. */
export type Build = 'smp' | 'up-preempt' | 'up';

export interface SimulateOptions {
  /** 1 to 64; default 4. */
  readonly cpus?: number;
  /** Default 65,536 pages (256 MiB). */
  readonly memory?: MemorySize;
  /** A swap area of so many pages, or of a share of what the program needs; default none. */
  readonly swap?: MemorySize;
  readonly seed?: number;
  readonly model?: 'sc' | 'tso' | 'weak';
  readonly scheduler?: 'random' | 'round-robin' | 'pct';
  readonly generation?: Generation;
  /** How the kernel is built; default smp. The others have one CPU. */
  readonly build?: Build;
  /** How pages know the entries that map them; default anon-vma. */
  readonly rmap?: RmapDesign;
  /** Where faults on anonymous memory map huge pages; default never. With anon-vma only. */
  readonly thp?: TransparentHugePages;
  /** Pages of a huge page, as a power of two, 1 to 9; default 9. */
  readonly thpOrder?: number;
  /** khugepaged makes huge pages of small ones while the program runs. */
  readonly khugepaged?: boolean;
  /** How references to the tails of a huge page are counted, and what a split relies on; default tail-mapcount. With huge pages only. */
  readonly thpTails?: TailDesign;
  /** Probabilities, 0 to 1. */
  readonly inject?: Readonly<Partial<Record<FaultKind, number>>>;
  /** Guards of the kernel's protocols (cpu's guards()) to leave out. */
  readonly without?: readonly string[];
  /** Other processes that read the program's files and drop them from the cache; default 0. */
  readonly neighbours?: number;
  /** Pages at random frames are moved to others while the program runs. */
  readonly migrate?: boolean;
  /** A guest comes and goes over the memory of the program's processes: another MMU, kept right by MMU notifiers. */
  readonly guest?: boolean;
  /** Stop after so many operations. */
  readonly limit?: number | null;
  /** How the recording is called in the result. */
  readonly path?: string;
  /** Ends the run early, with a consistent result. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: SimulationProgress) => void;
}

type Defaults = Required<Omit<SimulateOptions, 'memory' | 'swap' | 'signal' | 'onProgress'>>;

/** What an option is that was not given. */
export const DEFAULTS: Defaults = {
  cpus: 4,
  seed: 1,
  model: 'weak',
  scheduler: 'random',
  generation: 'freeze-refs',
  build: 'smp',
  rmap: 'anon-vma',
  thp: 'never',
  thpOrder: 9,
  thpTails: 'tail-mapcount',
  inject: {},
  without: [],
  neighbours: 0,
  migrate: false,
  guest: false,
  khugepaged: false,
  limit: null,
  path: '',
};

/** The options, and what they leave out. An option that is undefined was not given. */
export function withDefaults(options: SimulateOptions): Defaults {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...DEFAULTS, ...Object.fromEntries(given) };
}

export interface SimulationProgress {
  readonly operations: number;
  readonly operationsTotal: number;
  readonly accesses: number;
}

/** The recording cannot be replayed with these options. */
export class SimulationInputError extends Error {
  override readonly name = 'SimulationInputError';
}

/** Throws {@link SimulationInputError} when the build has fewer CPUs. */
export function checkBuild(options: SimulateOptions): void {
  const { build, cpus } = withDefaults(options);
  if (build === 'smp' || cpus === 1) return;
  throw new SimulationInputError(`a kernel built without CONFIG_SMP (${build}) has one CPU, not ${cpus}`);
}

/** Throws {@link SimulationInputError} when huge pages cannot be found again. */
export function checkHugePages(options: SimulateOptions): void {
  const { thp, rmap, khugepaged } = withDefaults(options);
  if (thp === 'never' && khugepaged) throw new SimulationInputError('khugepaged has nothing to do without huge pages');
  if (thp === 'never' && options.thpTails !== undefined)
    throw new SimulationInputError(`nothing has tails (${options.thpTails}) where there are no huge pages`);
  if (thp === 'never' || rmap === 'anon-vma') return;
  throw new SimulationInputError(`huge pages (${thp}) are found through anon-vma, not by ${rmap}`);
}

/** Throws {@link SimulationInputError} when a guard has an unknown name. */
export function checkGuards(without: readonly string[]): void {
  const known = guards().map(({ name }) => name);
  const unknown = without.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new SimulationInputError(`no guard "${unknown}": expected one of ${known.sort().join(', ')}`);
}
