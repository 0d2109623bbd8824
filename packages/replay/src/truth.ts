// SPDX-License-Identifier: GPL-2.0-only
import type { Rec, Recording } from '@lockless/recording';
import type { FaultCounts, RssPages } from '@lockless/report';
import type { FaultKind } from './area-map.js';
import { AreaMap, faultKind } from './area-map.js';

/** What the real kernel did with one address space. */
export interface SpaceTruth {
  readonly faults: Record<FaultKind, number>;
  readonly rssPeak: { file: number; anon: number };
  /** Last values seen. */
  readonly rss: { file: number; anon: number };
  readonly rssAtExit: RssPages | null;
  /** Pages of arguments and environment that exec put on the stack: resident before anything was touched. */
  argumentPages: number;
}

/** What the real kernel did: the side to compare with. */
export interface Truth {
  readonly spaces: readonly SpaceTruth[];
  /** Per file id: page indexes that entered the page cache, and how many left. */
  readonly added: readonly Set<number>[];
  readonly removed: readonly number[];
  /** Per file id: indexes that a fault or a read asked for. */
  readonly wanted: readonly Set<number>[];
  /** Resident pages after record `i`, only where they changed: [record, space, file, anon]. */
  readonly rssChanges: readonly (readonly [record: number, space: number, file: number, anon: number])[];
  /** Faults whose page lies in no area that the recording knows. */
  readonly unplaced: number;
}

/** Reads the truth off a recording. */
export function truthOf(recording: Recording): Truth {
  return new TruthReader(recording).read();
}

class TruthReader {
  private readonly recording: Recording;
  private readonly areas: (AreaMap | undefined)[] = [];
  private readonly spaceOf = new Map<number, number>();
  private readonly spaces: SpaceTruth[];
  private readonly added: Set<number>[];
  private readonly wanted: Set<number>[];
  private readonly removed: number[];
  private readonly rssChanges: [number, number, number, number][] = [];
  private unplaced = 0;

  constructor(recording: Recording) {
    this.recording = recording;
    this.spaces = recording.header.spaces.map((space) => ({
      faults: { anonymous: 0, file: 0, cow: 0, mkwrite: 0 },
      rssPeak: { file: 0, anon: 0 },
      rss: { file: 0, anon: 0 },
      argumentPages: 0,
      rssAtExit: space.rssAtEnd === null ? null : { file: space.rssAtEnd.file, anon: space.rssAtEnd.anon },
    }));
    this.added = recording.files.map(() => new Set());
    this.wanted = recording.files.map(() => new Set());
    this.removed = recording.files.map(() => 0);
  }

  read(): Truth {
    this.recording.records.forEach((rec, i) => {
      this.follow(rec, i);
    });
    const { spaces, added, removed, wanted, rssChanges, unplaced } = this;
    return { spaces, added, removed, wanted, rssChanges, unplaced };
  }

  private follow(rec: Rec, i: number): void {
    switch (rec.kind) {
      case 'exec':
        this.spaceOf.set(rec.tid, rec.space);
        this.areas[rec.space] = AreaMap.ofImage(rec.maps, rec.brk);
        break;
      case 'fork':
        this.spaceOf.set(rec.child, rec.space);
        if (!rec.shares.includes('vm')) this.areas[rec.space] = this.areas[this.spaceOf.get(rec.tid) ?? -1]?.clone();
        break;
      case 'touch':
        this.touch(rec);
        break;
      case 'read':
        for (
          let page = Math.floor(rec.offset / 4096);
          page < Math.ceil((rec.offset + Math.max(0, rec.result)) / 4096);
          page++
        )
          this.wanted[rec.file].add(page);
        break;
      case 'added':
        for (let page = rec.index; page < rec.index + rec.pages; page++) this.added[rec.file].add(page);
        break;
      case 'removed':
        this.removed[rec.file] += rec.pages;
        break;
      case 'rss':
        this.rss(rec, i);
        break;
      default:
        this.areas[this.spaceOf.get(rec.tid) ?? -1]?.apply(rec);
    }
  }

  private touch(rec: Rec & { kind: 'touch' }): void {
    const space = this.spaceOf.get(rec.tid);
    const area = space === undefined ? null : (this.areas[space]?.find(rec.page) ?? null);
    const kind = faultKind(area, rec.access === 'write', rec.present);
    if (space === undefined || kind === null) {
      this.unplaced += 1;
      return;
    }
    this.spaces[space].faults[kind] += 1;
    if (area !== null && area.file !== null) this.wanted[area.file]?.add(area.index + (rec.page - area.from));
  }

  private rss(rec: Rec & { kind: 'rss' }, i: number): void {
    if (rec.member !== 'anon' && rec.member !== 'file') return;
    const { rss, rssPeak } = this.spaces[rec.space];
    if (rec.member === 'anon') {
      rss.anon = rec.pages;
      const { faults } = this.spaces[rec.space];
      if (faults.anonymous + faults.file + faults.cow === 0) this.spaces[rec.space].argumentPages = rec.pages;
    }
    if (rec.member === 'file') rss.file = rec.pages;
    rssPeak.anon = Math.max(rssPeak.anon, rss.anon);
    rssPeak.file = Math.max(rssPeak.file, rss.file);
    this.rssChanges.push([i, rec.space, rss.file, rss.anon]);
  }
}

/** As the report wants them. */
export function faultCounts(faults: Readonly<Record<FaultKind, number>>): FaultCounts {
  return { ...faults, total: faults.anonymous + faults.file + faults.cow + faults.mkwrite };
}
