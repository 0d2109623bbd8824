// SPDX-License-Identifier: GPL-2.0-only
import type { Observation, PageSeen } from './observation.js';

/**
 * Names for frames, in the order in which they appear: both sides have frame numbers of their own, but the same names when they map the same.
 * A frame that nobody maps any more loses its name: the number may come back as another's.
 */
export class FrameNames {
  private names = new Map<number, string>();
  private given = 0;

  /** No frame is known any more: a step may have freed frames and got them again. */
  forget(): void {
    this.names = new Map();
  }

  /** The name of each frame of an observation, to be called for one after the other. */
  follow({ processes }: Observation): (page: PageSeen) => string {
    const names = new Map<number, string>();
    for (const { pages } of processes) {
      for (const { kind, frame } of pages) {
        if (kind === 'none' || names.has(frame)) continue;
        names.set(frame, kind === 'zero' ? 'zero' : (this.names.get(frame) ?? this.fresh()));
      }
    }
    this.names = names;
    return ({ kind, frame }) => (kind === 'none' ? '-' : (names.get(frame) ?? '-'));
  }

  private fresh(): string {
    this.given += 1;
    return `F${this.given}`;
  }
}
