// SPDX-License-Identifier: MIT

/** Something that must hold. `check` looks at words (with peek or directly) and says what is wrong, or null. */
export interface Invariant {
  readonly name: string;
  /** At every n-th timer tick of CPU 0, in the middle of everything: for what holds between any two accesses. */
  readonly everyTicks?: number;
  /** When the machine is quiescent: no task is inside kernel code, no interrupt is pending, store buffers are empty. */
  readonly atQuiescence?: boolean;
  /** When all tasks have finished. The default when nothing else is asked for. */
  readonly atEnd?: boolean;
  readonly check: (words: Int32Array) => string | null;
}

export interface InvariantResult {
  readonly name: string;
  checked: number;
  violations: number;
}

/** The invariants of a machine and how they fared. */
export class Invariants {
  private readonly entries: { readonly invariant: Invariant; readonly result: InvariantResult }[] = [];
  private ticks = 0;

  add(invariant: Invariant): void {
    this.entries.push({ invariant, result: { name: invariant.name, checked: 0, violations: 0 } });
  }

  get results(): InvariantResult[] {
    return this.entries.map(({ result }) => ({ ...result }));
  }

  get wantsQuiescence(): boolean {
    return this.entries.some(({ invariant }) => invariant.atQuiescence === true);
  }

  atTick(words: Int32Array): string | null {
    this.ticks++;
    return this.checkWhere(words, ({ everyTicks }) => everyTicks !== undefined && this.ticks % everyTicks === 0);
  }

  atQuiescence(words: Int32Array): string | null {
    return this.checkWhere(words, ({ atQuiescence }) => atQuiescence === true);
  }

  atEnd(words: Int32Array): string | null {
    return this.checkWhere(
      words,
      ({ atEnd, atQuiescence, everyTicks }) => atEnd ?? (atQuiescence === undefined && everyTicks === undefined),
    );
  }

  /** Checks all that apply; returns the first complaint. */
  private checkWhere(words: Int32Array, applies: (invariant: Invariant) => boolean): string | null {
    let first: string | null = null;
    for (const { invariant, result } of this.entries) {
      if (!applies(invariant)) continue;
      result.checked++;
      const complaint = invariant.check(words);
      if (complaint === null) continue;
      result.violations++;
      first ??= `${invariant.name}: ${complaint}`;
    }
    return first;
  }
}
