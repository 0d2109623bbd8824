// SPDX-License-Identifier: MIT
import type { AccessSite } from './execution.js';

/** Identical rounds that are explored at most, when each of them leaves something behind; after that the loop is explored round by round. */
const MAX_EARLIER = 3;

/** Trials of a loop that are long. */
const LONG_TRIALS = 8;

const keyOf = ({ code, frames }: AccessSite): string =>
  `${code} ${frames.map((f) => `${f.file}:${f.line}:${f.column}`).join(' ')}`;

/**
 * Loops whose rounds in vain leave something behind (a count, a local variable that the code uses later), by the call stack of the access that a
 * round begins with: how many of them are explored as they are before one more is a wait. Each that is found makes the exploration begin anew.
 */
export class Loops {
  private readonly rounds = new Map<string, number>();
  private readonly trials = new Map<AccessSite, number>();

  constructor(known: readonly (readonly [string, number | null])[] = []) {
    for (const [key, rounds] of known) this.rounds.set(key, rounds ?? Number.POSITIVE_INFINITY);
  }

  /** How many rounds like the one that would be cut have to come before it. */
  earlierRounds(head: AccessSite): number {
    return this.rounds.size === 0 ? 0 : (this.rounds.get(keyOf(head)) ?? 0);
  }

  /** What a round does shows later on: one more is to be explored. */
  exploreOneMore(head: AccessSite): void {
    const key = keyOf(head);
    const more = (this.rounds.get(key) ?? 0) + 1;
    this.rounds.set(key, more > MAX_EARLIER ? Number.POSITIVE_INFINITY : more);
  }

  /** It gives up, so all of its rounds are to be explored. */
  exploreAll(head: AccessSite): void {
    this.rounds.set(keyOf(head), Number.POSITIVE_INFINITY);
  }

  /** Whether the loop has not been tried out often. */
  isNew(head: AccessSite): boolean {
    const trials = (this.trials.get(head) ?? 0) + 1;
    this.trials.set(head, trials);
    return trials <= LONG_TRIALS;
  }

  /** As JSON: null stands for all rounds. */
  list(): [string, number | null][] {
    return [...this.rounds].map(([key, rounds]) => [key, Number.isFinite(rounds) ? rounds : null]);
  }
}
