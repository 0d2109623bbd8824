// SPDX-License-Identifier: GPL-2.0-only
import type { Recording } from '@lockless/recording';
import type { Comparison, Difference, FaultCounts, Measure, ProcessResult } from '@lockless/report';
import { addedCause, anonymousCause, type Cause, type Circumstances, fileCause } from './cause.js';
import type { Truth } from './truth.js';

/** One compared thing: its simulated and its real number. */
export interface Item {
  readonly item: string;
  readonly simulated: number;
  readonly real: number;
}

/** What was simulated, per file id: page indexes that entered the page cache. */
export type SimulatedAdds = readonly ReadonlySet<number>[];

/** A file whose pages the model has: directories, block devices and tmpfs belong to no file that a program reads. */
const isModelled = (kind: string): boolean => kind === 'regular';

/**
 * Agreement of two lists of numbers: the sum of the smaller over the sum of the larger, item by item. 1 when all are equal; half of
 * the pages missing gives 0.5, and so do twice as many.
 */
export function agreement(items: readonly Item[]): number {
  let smaller = 0;
  let larger = 0;
  for (const { simulated, real } of items) {
    smaller += Math.min(simulated, real);
    larger += Math.max(simulated, real);
  }
  return larger === 0 ? 1 : smaller / larger;
}

function measure(name: string, title: string, items: readonly Item[]): Measure {
  const sum = (side: 'simulated' | 'real'): number => items.reduce((total, item) => total + item[side], 0);
  return {
    name,
    title,
    simulated: sum('simulated'),
    real: sum('real'),
    agreement: agreement(items),
    items: items.length,
  };
}

/** Puts the two sides next to each other and names the cause of each difference. */
export function compare(
  recording: Recording,
  truth: Truth,
  processes: readonly ProcessResult[],
  adds: SimulatedAdds,
  samples: RssSamples,
  circumstances: Circumstances,
): Comparison {
  const measures: Measure[] = [];
  const differences: Difference[] = [];
  const put = (name: string, title: string, items: readonly Item[], cause: (index: number) => Cause): void => {
    measures.push(measure(name, title, items));
    items.forEach((item, i) => {
      if (item.simulated !== item.real) differences.push({ measure: name, ...item, cause: cause(i) });
    });
  };
  for (const [kind, title] of FAULTS) {
    put(
      `faults.${kind}`,
      title,
      processes.map((p) => ({ item: labelOf(p), simulated: p.faults.simulated[kind], real: p.faults.real[kind] })),
      (i) => (ANONYMOUS.has(kind) ? anonymousCause(circumstances) : fileCause(circumstances, processes[i])),
    );
  }
  measures.push(addedMeasure(recording, truth, adds, differences, circumstances));
  for (const kind of ['file', 'anon'] as const) {
    const known = processes.filter((p) => p.rssAtExit.real !== null && p.rssAtExit.simulated !== null);
    put(
      `rss.${kind}.exit`,
      `resident ${kind} pages at exit`,
      known.map((p) => ({
        item: labelOf(p),
        simulated: p.rssAtExit.simulated?.[kind] ?? 0,
        real: p.rssAtExit.real?.[kind] ?? 0,
      })),
      (i) => (kind === 'anon' ? anonymousCause(circumstances) : fileCause(circumstances, known[i])),
    );
    measures.push(measure(`rss.${kind}.overTime`, `resident ${kind} pages over time`, samples[kind]));
  }
  return { measures, differences };
}

/** Resident pages of every address space at each sample of the run. */
export type RssSamples = Readonly<Record<'file' | 'anon', readonly Item[]>>;

const FAULTS: readonly (readonly [keyof FaultCounts, string])[] = [
  ['total', 'page faults'],
  ['anonymous', 'page faults on anonymous memory'],
  ['file', 'page faults on files'],
  ['cow', 'copy-on-write faults'],
  ['mkwrite', 'first writes to shared file pages'],
];

const labelOf = (p: ProcessResult): string => `${p.comm} (pid ${p.pid}, space ${p.space})`;

const ANONYMOUS: ReadonlySet<keyof FaultCounts> = new Set(['anonymous', 'cow']);

/** Pages added to the page cache, by (file, index): agreement is intersection over union. */
function addedMeasure(
  recording: Recording,
  truth: Truth,
  adds: SimulatedAdds,
  differences: Difference[],
  circumstances: Circumstances,
): Measure {
  let both = 0;
  let simulatedOnly = 0;
  let realOnly = 0;
  let files = 0;
  for (const file of recording.files) {
    if (!isModelled(file.kind)) continue;
    files += 1;
    const simulated = adds[file.id];
    const real = truth.added[file.id];
    const common = [...real].filter((index) => simulated.has(index)).length;
    both += common;
    simulatedOnly += simulated.size - common;
    realOnly += real.size - common;
    if (simulated.size !== common || real.size !== common) {
      differences.push({
        measure: 'pagecache.added',
        item: file.path || `file ${file.id}`,
        simulated: simulated.size,
        real: real.size,
        cause: addedCause(circumstances, truth.wanted[file.id], simulated, real),
      });
    }
  }
  const union = both + simulatedOnly + realOnly;
  return {
    name: 'pagecache.added',
    title: 'pages added to the page cache, by file and index',
    simulated: both + simulatedOnly,
    real: both + realOnly,
    agreement: union === 0 ? 1 : both / union,
    items: files,
  };
}
