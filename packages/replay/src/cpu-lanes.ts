// SPDX-License-Identifier: GPL-2.0-only
import type { Timeline } from '@lockless/report';

type Lane = Timeline['cpus'][number];
type Slice = Lane['slices'][number];

/** Slices of all CPUs together; more make a chart no clearer. */
const MOST_SLICES = 2000;
/** ns; some accesses. */
const SHORTEST_INTERVAL = 64;

/**
 * What ran on each CPU over virtual time. Exact while there are few slices; beyond {@link MOST_SLICES} time is cut into intervals, and each shows
 * what had most of it. Intervals grow with the run, so that a long run takes no more memory than a short one.
 */
export class CpuLanes {
  private lanes: Slice[][];
  private readonly running: ({ readonly task: string; readonly from: number } | null)[];
  private slices = 0;
  /** Length of the intervals; 0: slices are exact. */
  private interval = 0;

  constructor(cpus: number) {
    this.lanes = Array.from({ length: cpus }, () => []);
    this.running = this.lanes.map(() => null);
  }

  /** For the machine's observer: from `time` on the CPU runs `task`, or nothing. */
  switched(cpu: number, time: number, task: string | null): void {
    this.end(cpu, time);
    this.running[cpu] = task === null ? null : { task, from: time };
    if (this.slices > 2 * MOST_SLICES) this.coarsen();
  }

  /** The lanes up to virtual time `until`. What runs then, runs on. */
  at(until: number): Lane[] {
    this.running.forEach((running, cpu) => {
      this.end(cpu, until);
      this.running[cpu] = running === null ? null : { ...running, from: Math.max(running.from, until) };
    });
    if (this.slices > MOST_SLICES || this.interval > 0) this.coarsen();
    return this.lanes.map((slices, cpu) => ({ cpu, slices: [...slices] }));
  }

  private end(cpu: number, to: number): void {
    const running = this.running[cpu];
    if (running === null || running.from >= to) return;
    const before = this.lanes[cpu].length;
    append(this.lanes[cpu], { ...running, to });
    this.slices += this.lanes[cpu].length - before;
  }

  /** Takes the shortest intervals that leave few enough slices. Idle time costs none, so they are short where little happens. */
  private coarsen(): void {
    this.interval = Math.max(this.interval, SHORTEST_INTERVAL);
    for (;;) {
      const coarse = this.lanes.map((slices) => mostOfEach(this.interval, slices));
      this.slices = coarse.reduce((sum, slices) => sum + slices.length, 0);
      if (this.slices <= MOST_SLICES) {
        this.lanes = coarse;
        return;
      }
      this.interval *= 2;
    }
  }
}

/** The same task going on is one slice. */
function append(lane: Slice[], slice: Slice): void {
  const last = lane.at(-1);
  if (last !== undefined && last.task === slice.task && last.to === slice.from)
    lane[lane.length - 1] = { ...last, to: slice.to };
  else lane.push(slice);
}

/** Slices that begin and end at multiples of `interval`, but for the last end. An interval is idle when that is most of it. */
function mostOfEach(interval: number, slices: readonly Slice[]): Slice[] {
  const coarse: Slice[] = [];
  const end = slices.at(-1)?.to ?? 0;
  let at = -1;
  let shares = new Map<string, number>();
  const show = (task: string, first: number, next: number): void =>
    append(coarse, { task, from: first * interval, to: Math.min(end, next * interval) });
  const close = (): void => {
    const busy = [...shares.values()].reduce((sum, share) => sum + share, 0);
    let most = { task: '', share: interval - busy };
    for (const [task, share] of shares) if (share > most.share) most = { task, share };
    if (most.task !== '') show(most.task, at, at + 1);
    shares = new Map();
  };
  const add = (index: number, task: string, share: number): void => {
    if (index !== at) close();
    at = index;
    shares.set(task, (shares.get(task) ?? 0) + share);
  };
  for (const { task, from, to } of slices) {
    const first = Math.floor(from / interval);
    const last = Math.floor(to / interval);
    if (first === last) add(first, task, to - from);
    else {
      add(first, task, (first + 1) * interval - from);
      if (last > first + 1) {
        close();
        show(task, first + 1, last);
      }
      if (to > last * interval) add(last, task, to - last * interval);
    }
  }
  close();
  return coarse;
}
