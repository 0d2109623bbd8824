// SPDX-License-Identifier: GPL-2.0-only
import { vmEvents, zonePageState } from '@lockless/page';
import { rcuStatistics } from '@lockless/rcu';
import type { Timeline } from '@lockless/report';
import type { Item, RssSamples } from './compare.js';
import type { SpaceTracker } from './space-tracker.js';
import type { World } from './world.js';

const SAMPLES = 200;

interface Sample {
  readonly time: number;
  readonly operations: number;
  readonly free: number;
  readonly fileCache: number;
  readonly anonymous: number;
  readonly dirty: number;
  readonly writeback: number;
  readonly gracePeriods: number;
  readonly faults: number;
  readonly spaces: readonly ({ file: number; anon: number } | null)[];
}

/** Looks at the machine now and then while the program is replayed. */
export class TimelineSampler {
  private readonly world: World;
  private readonly tracker: SpaceTracker;
  private readonly every: number;
  private readonly samples: Sample[] = [];
  lowestFree: number = Number.POSITIVE_INFINITY;

  constructor(world: World, tracker: SpaceTracker) {
    this.world = world;
    this.tracker = tracker;
    this.every = Math.max(1, Math.ceil(world.program.operations / SAMPLES));
  }

  /** An operation is over at virtual time `time`. */
  operation(time: number): void {
    if (this.world.operations % this.every === 0) this.sample(time);
  }

  sample(time: number): void {
    const zone = zonePageState();
    const events = vmEvents();
    this.lowestFree = Math.min(this.lowestFree, zone.nr_free_pages);
    this.samples.push({
      time,
      operations: this.world.operations,
      free: zone.nr_free_pages,
      fileCache: zone.nr_file_pages,
      anonymous: zone.nr_anon_pages,
      dirty: zone.nr_dirty,
      writeback: zone.nr_writeback,
      gracePeriods: rcuStatistics().gracePeriods,
      faults: events.pgfault,
      spaces: this.tracker.outcomes.map((_, space) => this.tracker.rss(space)),
    });
    for (let space = 0; space < this.tracker.outcomes.length; space++) this.tracker.look(space);
  }

  /** For charts. */
  timeline(): Omit<Timeline, 'cpus'> {
    const { samples } = this;
    const column = <K extends keyof Sample>(name: K): Sample[K][] => samples.map((sample) => sample[name]);
    const real = this.realRss();
    return {
      time: column('time'),
      operations: column('operations'),
      free: column('free'),
      fileCache: column('fileCache'),
      anonymous: column('anonymous'),
      dirty: column('dirty'),
      writeback: column('writeback'),
      gracePeriods: column('gracePeriods'),
      faults: column('faults'),
      spaces: this.world.recording.header.spaces.map(({ id, pid }) => ({
        space: id,
        label: `${this.world.program.threads.find((thread) => thread.pid === pid)?.comm ?? 'process'} ${pid}`,
        simulated: samples.map(({ spaces }) => total(spaces[id])),
        real: real.map((spaces) => total(spaces[id])),
      })),
    };
  }

  /** Resident pages of every space at every sample, both sides. */
  rssSamples(): RssSamples {
    const real = this.realRss();
    const pick = (kind: 'file' | 'anon'): Item[] =>
      this.samples.flatMap(({ spaces }, i) =>
        spaces.map((rss, space) => ({
          item: `space ${space}, sample ${i}`,
          simulated: rss?.[kind] ?? 0,
          real: real[i][space]?.[kind] ?? 0,
        })),
      );
    return { file: pick('file'), anon: pick('anon') };
  }

  /** What the real kernel's counters were when as many operations were over. Null: the space did not exist. */
  private realRss(): ({ file: number; anon: number } | null)[][] {
    const { truth, program, recording } = this.world;
    const order = program.threads.flatMap(({ actions }) => actions.map(({ record }) => record)).sort((a, b) => a - b);
    const now: ({ file: number; anon: number } | null)[] = recording.header.spaces.map(() => null);
    let change = 0;
    return this.samples.map(({ operations }) => {
      const until = order[operations] ?? Number.POSITIVE_INFINITY;
      for (; change < truth.rssChanges.length && truth.rssChanges[change][0] < until; change++) {
        const [, space, file, anon] = truth.rssChanges[change];
        now[space] = file + anon === 0 ? null : { file, anon };
      }
      return [...now];
    });
  }
}

const total = (rss: { file: number; anon: number } | null | undefined): number | null =>
  rss == null ? null : rss.file + rss.anon;
