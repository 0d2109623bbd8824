// SPDX-License-Identifier: MIT
import type { Classes } from './classes.js';
import type { Witness } from './model.js';
import { addToSet, type EventSet, inSet, Relation } from './relation.js';

/**
 * How the threads talk in one execution: rf, co and fr, and their parts within a thread and between threads. Initial stores are no sources here:
 * nothing comes before them, so no axiom needs them but through `fr`.
 */
export class Communication {
  readonly rf: Relation;
  readonly rfe: Relation;
  /** `fr`: from a load to the stores that overwrite what it read. */
  readonly fr: Relation;
  /** `co | fr`. */
  readonly overwrite: Relation;
  readonly overwriteExternal: Relation;
  /** Stores that a load of their own thread reads from; whether there are any. */
  readonly readInternally: EventSet;
  internalReads = false;

  constructor(size: number) {
    this.rf = new Relation(size);
    this.rfe = new Relation(size);
    this.fr = new Relation(size);
    this.overwrite = new Relation(size);
    this.overwriteExternal = new Relation(size);
    this.readInternally = new Int32Array((size + 31) >>> 5);
  }

  derive({ reads, writes, internal, size, stride }: Classes, { rf, co }: Witness): void {
    this.rf.clear();
    this.rfe.clear();
    this.fr.clear();
    this.readInternally.fill(0);
    this.internalReads = false;
    const overwrite = this.overwrite.bits;
    for (let i = 0, row = 0; i < size; i++, row += stride) {
      const source = inSet(reads, i) ? rf[i] : -1;
      if (source !== -1) {
        const from = source * stride;
        for (let w = 0; w < stride; w++) this.fr.bits[row + w] = co.bits[from + w];
        if (inSet(writes, source)) this.#reads(source, i, internal.has(source, i));
      }
      const store = inSet(writes, i) ? -1 : 0;
      for (let w = 0; w < stride; w++) {
        const all = this.fr.bits[row + w] | (store & co.bits[row + w]);
        overwrite[row + w] = all;
        this.overwriteExternal.bits[row + w] = all & ~internal.bits[row + w];
      }
    }
  }

  #reads(store: number, load: number, internally: boolean): void {
    this.rf.add(store, load);
    if (internally) {
      addToSet(this.readInternally, store);
      this.internalReads = true;
    } else this.rfe.add(store, load);
  }
}
