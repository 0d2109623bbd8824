// SPDX-License-Identifier: GPL-2.0-only

/** A moment in the run: the host counts begins and ends, which is enough to tell what overlapped what. */
export type Moment = number;

interface Write<V> {
  readonly value: V;
  readonly begun: Moment;
  ended: Moment;
}

/** Writes that are kept; older ones that no new read can return are dropped. */
const KEPT = 8;

/**
 * What a page may hold, judged from outside: a register that several CPUs read and write. A read may return any value whose write had begun
 * before the read ended and that no later write had certainly replaced before the read began. A read so long under way that
 * writes were forgotten meanwhile is not judged: it may return anything.
 */
export class RegisterHistory<V> {
  private writes: Write<V>[];
  private readonly same: (a: V, b: V) => boolean;
  /** Reads that began up to here may have seen a write that is forgotten. */
  private horizon: Moment = Number.NEGATIVE_INFINITY;

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
      if (this.writes.length > KEPT) this.forget(write);
    };
  }

  /** Drops what was over before this write began: reads that begin from now on cannot see it. */
  private forget(write: Write<V>): void {
    this.writes = this.writes.filter((other) => other.ended >= write.begun);
    this.horizon = Math.max(this.horizon, write.ended);
  }

  /** Whether a read that began then may return this. */
  allows(value: V, begun: Moment): boolean {
    if (begun <= this.horizon) return true;
    return this.writes.some(
      (write) =>
        this.same(write.value, value) && !this.writes.some((other) => other.begun > write.ended && other.ended < begun),
    );
  }

  /** What a read that begins now could return, for messages. */
  expected(begun: Moment): V[] {
    return this.writes.filter(({ value }) => this.allows(value, begun)).map(({ value }) => value);
  }
}
