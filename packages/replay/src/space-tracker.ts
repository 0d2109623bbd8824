// SPDX-License-Identifier: GPL-2.0-only

import type { TaskStruct } from '@lockless/cpu';
import { NULL, type Null, type Ptr, peek } from '@lockless/cpu';
import { type FaultCounts, faultsOf, faultsSince, NO_FAULTS, rssOf } from '@lockless/mm';
import { type MmStruct, taskMm } from '@lockless/mm-types';

/** What became of one simulated address space. */
export interface SpaceOutcome {
  /** While it lives. */
  mm: Ptr<MmStruct> | Null;
  /** Replayed threads that use it. */
  users: number;
  /** Counted before the program ran in it: faults of the kernel's own, while it built the image. */
  before: FaultCounts;
  faults: FaultCounts;
  rss: { file: number; anon: number } | null;
  readonly peak: { file: number; anon: number };
}

/** Follows the address spaces of a program from outside, without an access. */
export class SpaceTracker {
  readonly outcomes: SpaceOutcome[];

  constructor(spaces: number) {
    this.outcomes = Array.from({ length: spaces }, () => ({
      mm: NULL,
      users: 0,
      before: NO_FAULTS,
      faults: NO_FAULTS,
      rss: null,
      peak: { file: 0, anon: 0 },
    }));
  }

  /** A task begins to use a space. */
  enter(space: number, task: Ptr<TaskStruct>): void {
    const outcome = this.outcomes[space];
    outcome.mm = peek(taskMm(task));
    if (outcome.users === 0 && outcome.mm !== NULL) outcome.before = faultsOf(outcome.mm);
    outcome.users += 1;
  }

  /** A task is about to leave it; with the last one the figures are final. */
  leave(space: number): void {
    const outcome = this.outcomes[space];
    this.look(space);
    outcome.users -= 1;
    if (outcome.users > 0 || outcome.mm === NULL) return;
    outcome.rss = rssOf(outcome.mm);
    outcome.mm = NULL;
  }

  /** Reads the counters. */
  look(space: number): void {
    const { mm, peak } = this.outcomes[space];
    if (mm === NULL) return;
    const rss = rssOf(mm);
    peak.file = Math.max(peak.file, rss.file);
    peak.anon = Math.max(peak.anon, rss.anon);
    this.outcomes[space].faults = faultsSince(this.outcomes[space].before, faultsOf(mm));
  }

  /** Resident pages now, or null when the space does not live. */
  rss(space: number): { file: number; anon: number } | null {
    const { mm } = this.outcomes[space];
    return mm === NULL ? null : rssOf(mm);
  }
}
