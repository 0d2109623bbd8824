// SPDX-License-Identifier: GPL-2.0-only
import type { Observation, PageSeen } from './observation.js';

/**
 * Names for frames (F1) and places in swap areas (S1), in the order in which they appear: both sides have numbers of their own, but the same names when
 * they map the same. What nobody maps any more loses its name: the number may come back as another's.
 */
export class FrameNames {
  private names = new Map<string, string>();
  private given = { F: 0, S: 0 };

  /** Nothing is known any more: a step may have freed frames and got them again. */
  forget(): void {
    this.names = new Map();
  }

  /** As at the begin: from here on the names of both sides agree again. */
  restart(): void {
    this.forget();
    this.given = { F: 0, S: 0 };
  }

  /** The name of each frame of an observation, to be called for one after the other. */
  follow({ processes }: Observation): (page: PageSeen) => string {
    const names = new Map<string, string>();
    for (const { pages } of processes) {
      for (const page of pages) {
        const key = keyOf(page);
        if (key === null || names.has(key)) continue;
        names.set(key, page.kind === 'zero' ? 'zero' : (this.names.get(key) ?? this.fresh(prefixOf(page))));
      }
    }
    this.names = names;
    return (page) => names.get(keyOf(page) ?? '') ?? '-';
  }

  private fresh(prefix: 'F' | 'S'): string {
    this.given[prefix] += 1;
    return `${prefix}${this.given[prefix]}`;
  }
}

const prefixOf = ({ kind }: PageSeen): 'F' | 'S' => (kind === 'swap' ? 'S' : 'F');
const keyOf = (page: PageSeen): string | null => (page.kind === 'none' ? null : `${prefixOf(page)}${page.frame}`);
