// SPDX-License-Identifier: MIT

/** So many ends are reached before anything is checked on the way: most programs have no more. */
const FIRST_ENDS = 8;
/** Then so many checks are made at each depth, and later at least each so-many-th. */
const SAMPLE = 16;

/**
 * Whether asking the model pays before an execution is complete. A complete one is always checked; a check on the way costs as much, and saves the whole
 * subtree when it fails. How often it fails at a depth, and how many ends lie below on average, is learnt on the way.
 */
export class Patience {
  readonly #visits: number[] = [];
  readonly #checks: number[] = [];
  readonly #failures: number[] = [];
  #ends = 0;

  isWorthChecking(depth: number): boolean {
    if (this.#ends < FIRST_ENDS) return false;
    while (this.#visits.length <= depth) {
      this.#visits.push(0);
      this.#checks.push(0);
      this.#failures.push(0);
    }
    const visits = ++this.#visits[depth];
    const checks = this.#checks[depth];
    if (checks < SAMPLE || visits % SAMPLE === 0) return true;
    // Share of failures, times what each would save.
    return (this.#failures[depth] / checks) * (this.#ends / visits) >= 1;
  }

  checked(depth: number, failed: boolean): void {
    this.#checks[depth]++;
    if (failed) this.#failures[depth]++;
  }

  cameToEnd(): void {
    this.#ends++;
  }
}
