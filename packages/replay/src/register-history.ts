// SPDX-License-Identifier: GPL-2.0-only

/** A moment in the run: the host counts begins and ends, which is enough to tell what overlapped what. */
export type Moment = number;

interface Write<V> {
  readonly value: V;
  readonly begun: Moment;
  ended: Moment;
}

/**
 * What a page may hold, judged from outside: a register that several CPUs read and write. A read may return any value whose write had begun
 * before the read ended and that no later write had certainly replaced before the read began. Keeps only writes that can still be seen.
 */
export class RegisterHistory<V> {
  private writes: Write<V>[];
  private readonly same: (a: V, b: V) => boolean;

  /** `initial`: what it may hold at the start, one value or, after writes that nobody ordered, any of several. */
  constructor(initial: readonly V[], same: (a: V, b: V) => boolean) {
    this.same = same;
    this.writes = initial.map((value) => ({ value, begun: 0, ended: 0 }));
  }

  /** A write starts; call the result when it is over. */
  begin(value: V, now: Moment): (ended: Moment) => void {
    const write: Write<V> = { value, begun: now, ended: Number.POSITIVE_INFINITY };
    this.writes.push(write);
    return (ended) => {
      write.ended = ended;
      // Whatever was over before this one began cannot be seen by reads that begin from now on; reads under way may still see the last such.
      const replaced = this.writes.filter((other) => other.ended < write.begun);
      const last = Math.max(...replaced.map((other) => other.ended), Number.NEGATIVE_INFINITY);
      this.writes = this.writes.filter((other) => other.ended >= last);
    };
  }

  /** Whether a read that began then may return this. */
  allows(value: V, begun: Moment): boolean {
    return this.writes.some(
      (write) =>
        this.same(write.value, value) && !this.writes.some((other) => other.begun > write.ended && other.ended < begun),
    );
  }

  /** What a read that begins now could return, for messages. */
  expected(begun: Moment): V[] {
    return this.writes.filter((write) => this.allows(write.value, begun)).map((write) => write.value);
  }
}
