// SPDX-License-Identifier: MIT
import type { CycleSearch } from './acyclic.js';
import type { HappensBefore } from './happens-before.js';
import { addImage, isEmptyRow, Relation } from './relation.js';

/**
 * "Write and fence propagation ordering": every link but reads-from needs a strong fence. (explanation.txt: "The propagates-before relation: pb".)
 */
export class Propagation {
  /** `strong-fence ; hb*`. */
  readonly #fenced: Relation;
  readonly pb: Relation;
  /** `pb+`. */
  readonly pbPlus: Relation;

  constructor(size: number) {
    this.#fenced = new Relation(size);
    this.pb = new Relation(size);
    this.pbPlus = new Relation(size);
  }

  /** pb = prop ; strong-fence ; hb* ; [Marked]. All that strong fences and hb lead to is marked but for where a fence ends in a plain access. */
  derive({ strong, space }: HappensBefore, marked: Int32Array): void {
    const { prop, hbPlus } = space;
    const { size, stride } = prop;
    const fenced = this.#fenced.copy(strong);
    for (let i = 0, row = 0; i < size; i++, row += stride) {
      if (isEmptyRow(strong.bits, row, stride)) continue;
      addImage(fenced.bits, row, strong.bits, row, hbPlus);
      for (let w = 0; w < stride; w++) fenced.bits[row + w] &= marked[w];
    }
    this.pb.clear().addComposition(prop, fenced);
  }

  /** `acyclic pb as propagation`. With `closing`, `pb+` is worked out too. */
  holds(search: CycleSearch, closing: boolean): boolean {
    return search.acyclic(this.pb, closing ? this.pbPlus : null);
  }

  /** Without strong fences there is no pb. */
  deriveNone(): void {
    this.pb.clear();
    this.pbPlus.clear();
  }
}
