// SPDX-License-Identifier: MIT
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { fibonacci, increments, lastZero, readers, storeBuffering, ticketLock } from './bench-programs.js';
import { explore } from './explore/explorer.js';
import type { Program } from './program.js';
import type { ModelName } from './result.js';

/** One measurement. */
export interface CheckerBenchRow {
  readonly program: string;
  readonly model: ModelName;
  readonly executions: number;
  /** What is known to be right. */
  readonly expected: number;
  readonly blocked: number;
  readonly seconds: number;
  readonly executionsPerSecond: number;
  /** By processor time: what the figure would be on a computer that does nothing else. */
  readonly executionsPerCpuSecond: number;
  /** What GenMC 0.11 does on such a machine under SC, null where it was not measured. */
  readonly genmcPerSecond: number | null;
  /** Reachable JavaScript heap at the end of the exploration minus after its first tenth. */
  readonly heapGrowthBytes: number;
}

interface Measured {
  readonly program: Program;
  readonly expected: Partial<Record<ModelName, number>>;
  readonly genmc: number | null;
}

const factorial = (n: number): number => (n < 2 ? 1 : n * factorial(n - 1));
const all = (count: number): Record<ModelName, number> => ({ sc: count, tso: count, lkmm: count });

const MEASURED: readonly Measured[] = [
  { program: storeBuffering(12), expected: { ...all(2 ** 12), sc: 2 ** 12 - 1 }, genmc: 15_000 },
  { program: storeBuffering(12, true), expected: all(2 ** 12 - 1), genmc: null },
  { program: storeBuffering(16), expected: { ...all(2 ** 16), sc: 2 ** 16 - 1 }, genmc: 12_000 },
  { program: increments(8), expected: all(factorial(8)), genmc: 16_500 },
  { program: readers(16), expected: all(2 ** 16), genmc: 83_000 },
  { program: lastZero(12), expected: all(15_360), genmc: 24_500 },
  { program: fibonacci(5), expected: { sc: 8_953, lkmm: 19_404 }, genmc: 19_000 },
  { program: ticketLock(7), expected: all(factorial(7)), genmc: 8_000 },
];

/** Explores programs whose number of executions is known, and measures. `onProgress` gets a line for each measurement. */
export function benchChecker(
  onProgress: (line: string) => void = () => {},
  options: { readonly models?: readonly ModelName[]; readonly programs?: readonly string[] } = {},
): CheckerBenchRow[] {
  const rows: CheckerBenchRow[] = [];
  for (const { program, expected, genmc } of MEASURED)
    for (const model of options.models ?? (['sc', 'tso', 'lkmm'] as const)) {
      const count = expected[model];
      if (count === undefined || options.programs?.includes(program.name) === false) continue;
      const row = measure(program, model, count, genmc);
      rows.push(row);
      onProgress(`${row.program}, ${model}: ${row.executionsPerSecond} executions/s`);
    }
  return rows;
}

/** The measurements as a table. */
export function renderCheckerBench(rows: readonly CheckerBenchRow[]): string {
  const lines = rows.map((row) =>
    [
      row.program.padEnd(16),
      row.model.padEnd(5),
      String(row.executions).padStart(10),
      (row.executions === row.expected ? 'as known' : `not ${row.expected}`).padStart(9),
      String(row.blocked).padStart(7),
      (row.executionsPerSecond / 1000).toFixed(1).padStart(9),
      (row.executionsPerCpuSecond / 1000).toFixed(1).padStart(13),
      (row.genmcPerSecond === null ? '' : (row.genmcPerSecond / 1000).toFixed(1)).padStart(15),
      (row.heapGrowthBytes / 1024).toFixed(0).padStart(16),
    ].join('  '),
  );
  const head =
    'program           model  executions    number  blocked  1000/s    1000/CPU s  GenMC SC 1000/s  heap growth, KiB';
  return [head, ...lines].join('\n');
}

function measure(program: Program, model: ModelName, expected: number, genmc: number | null): CheckerBenchRow {
  // The compiler warms up on the same program: a checker that runs for seconds is what is measured.
  explore({ program, model }).run(300);
  const explorer = explore({ program, model });
  const start = performance.now();
  const processor = process.cpuUsage();
  let heap: number | null = null;
  let aside = 0;
  let asideCpu = 0;
  while (!explorer.run(20))
    if (heap === null && explorer.counts.executions > expected / 10) {
      const before = performance.now();
      const cpu = process.cpuUsage();
      heap = heapUsed();
      aside = (performance.now() - before) / 1000;
      asideCpu = process.cpuUsage(cpu).user;
    }
  const seconds = (performance.now() - start) / 1000 - aside;
  const cpuSeconds = (process.cpuUsage(processor).user - asideCpu) / 1e6;
  const { executions, blocked } = explorer.counts;
  return {
    program: program.name,
    model,
    executions,
    expected,
    blocked,
    seconds,
    executionsPerSecond: Math.round(executions / seconds),
    executionsPerCpuSecond: Math.round(executions / cpuSeconds),
    genmcPerSecond: genmc,
    heapGrowthBytes: heap === null ? 0 : heapUsed() - heap,
  };
}

/** What is reachable: garbage is collected first. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  collect();
  return process.memoryUsage().heapUsed;
}
