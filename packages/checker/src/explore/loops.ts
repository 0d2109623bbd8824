// SPDX-License-Identifier: MIT
import type { AccessSite } from './execution.js';

/** Identical rounds that are explored of a loop each of whose rounds leaves something behind. */
export const MOST_ROUNDS = 3;

/** Trials of a loop that are long. */
const LONG_TRIALS = 2;

/**
 * Why more rounds of a loop than are explored would have mattered: each of them leaves something behind (`counts`), or the code leaves the loop after
 * very many.
 */
export type OpenLoop = 'counts' | 'gives up';

/** What is known of a loop whose rounds in vain are not all alike. */
interface Loop {
  readonly site: AccessSite;
  /** Rounds like the one that would be cut that have to come before it. */
  rounds: number;
  open: OpenLoop | null;
}

/** {@link Loops} as JSON. */
export type SavedLoops = readonly Loop[];

const keyOf = ({ code, frames }: AccessSite): string =>
  `${code} ${frames.map((f) => `${f.file}:${f.line}:${f.column}`).join(' ')}`;

/**
 * Loops whose rounds in vain leave something behind (a count, a local variable that the code uses later), by the call stack of the access that a
 * round begins with: how many of them are explored as they are before one more is a wait. Each that is found makes the exploration begin anew.
 */
export class Loops {
  private readonly known = new Map<string, Loop>();
  private readonly trials = new Map<AccessSite, number>();

  constructor(saved: SavedLoops = []) {
    for (const loop of saved) this.known.set(keyOf(loop.site), { ...loop });
  }

  /** How many rounds like the one that would be cut have to come before it. */
  earlierRounds(head: AccessSite): number {
    return this.find(head)?.rounds ?? 0;
  }

  /** What a round does shows later on. True: one more is to be explored; false: as many are as ever will be. */
  carriesState(head: AccessSite): boolean {
    const loop = this.of(head);
    if (loop.rounds === MOST_ROUNDS) {
      loop.open ??= 'counts';
      return false;
    }
    loop.rounds++;
    return true;
  }

  /** The code leaves the loop after more rounds than are explored. */
  givesUp(head: AccessSite): boolean {
    return this.find(head)?.open === 'gives up';
  }

  noteGivingUp(head: AccessSite): void {
    this.of(head).open = 'gives up';
  }

  /** Whether the loop has not been tried out often. */
  isNew(head: AccessSite): boolean {
    const trials = (this.trials.get(head) ?? 0) + 1;
    this.trials.set(head, trials);
    return trials <= LONG_TRIALS;
  }

  /** Those of which more rounds than were explored would have mattered. */
  open(): { readonly site: AccessSite; readonly open: OpenLoop }[] {
    return [...this.known.values()].flatMap(({ site, open }) => (open === null ? [] : [{ site, open }]));
  }

  save(): SavedLoops {
    return [...this.known.values()].map((loop) => ({ ...loop }));
  }

  private find(head: AccessSite): Loop | undefined {
    return this.known.size === 0 ? undefined : this.known.get(keyOf(head));
  }

  private of(head: AccessSite): Loop {
    const key = keyOf(head);
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const loop: Loop = { site: { code: head.code, frames: [...head.frames] }, rounds: 0, open: null };
    this.known.set(key, loop);
    return loop;
  }
}
