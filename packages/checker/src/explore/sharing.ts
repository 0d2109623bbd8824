// SPDX-License-Identifier: MIT

const SEVERAL = -2;

/**
 * Which words several threads touch, one of them writing. Others need no events: their plain and once accesses are answered from the thread's
 * own stores. Nothing is known at first; each conflict that shows makes a word shared, and the exploration begins anew, until no more show.
 */
export class Sharing {
  /** A word became shared: what was explored so far may be wrong. */
  changed = false;
  private readonly all: boolean;
  private readonly shared = new Set<number>();
  private readonly toucher = new Map<number, number>();
  private readonly written = new Set<number>();

  /** `all`: every word is taken to be shared. */
  constructor(all: boolean) {
    this.all = all;
  }

  /** The words that are taken to be shared. */
  words(): number[] {
    return [...this.shared];
  }

  /** Notes an access; tells whether the word is shared. */
  touch(thread: number, address: number, writes: boolean): boolean {
    if (this.all || this.shared.has(address)) return true;
    const before = this.toucher.get(address);
    if (before === undefined) this.toucher.set(address, thread);
    else if (before !== thread && before !== SEVERAL) this.toucher.set(address, SEVERAL);
    if (writes) this.written.add(address);
    if (this.toucher.get(address) !== SEVERAL || !this.written.has(address)) return false;
    this.share(address);
    return true;
  }

  /** Takes a word to be shared from now on. */
  share(address: number): void {
    this.shared.add(address);
    this.changed = true;
  }
}
