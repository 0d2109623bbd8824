// SPDX-License-Identifier: MIT

/**
 * The coherence order while it grows: for each location a partial order of the stores that is known so far, transitively closed. Everything that
 * coherence itself and the atomicity of read-modify-writes force is added at once, so that what remains unordered may go both ways as far as they care.
 */
export class Coherence {
  readonly stride: number;
  /** Row by store, as in a Relation. */
  readonly bits: Int32Array;
  /** Stores that are in the order, by location. */
  readonly stores: number[][] = [];
  /** Pairs of stores of a location with nothing between them: what a read-modify-write read and wrote, taking a lock and releasing it. Flat. */
  readonly #adjacent: number[][] = [];
  /** Stores that must come last: a lock that nobody releases. */
  readonly #last: number[][] = [];

  constructor(capacity: number) {
    this.stride = (capacity + 31) >>> 5;
    this.bits = new Int32Array(capacity * this.stride);
  }

  has(first: number, second: number): boolean {
    return ((this.bits[first * this.stride + (second >>> 5)] >>> (second & 31)) & 1) === 1;
  }

  addLocation(): void {
    this.stores.push([]);
    this.#adjacent.push([]);
    this.#last.push([]);
  }

  removeLocation(): void {
    this.stores.pop();
    this.#adjacent.pop();
    this.#last.pop();
  }

  /** Orders the two, and all that follows from it. False when they are ordered the other way round already. */
  order(location: number, first: number, second: number): boolean {
    if (first === second || this.has(second, first)) return false;
    if (this.has(first, second)) return true;
    const { bits, stride } = this;
    const stores = this.stores[location];
    for (let k = 0; k < stores.length; k++) {
      const store = stores[k];
      if (store !== first && !this.has(store, first)) continue;
      for (let w = 0; w < stride; w++) bits[store * stride + w] |= bits[second * stride + w];
      bits[store * stride + (second >>> 5)] |= 1 << (second & 31);
    }
    return this.#keepTogether(location);
  }

  /** The store joins the order of its location: after the initial one. */
  add(location: number, store: number, initial: number): boolean {
    this.stores[location].push(store);
    if (store !== initial && !this.order(location, initial, store)) return false;
    return this.#keepTogether(location);
  }

  removeLatest(location: number): void {
    this.stores[location].pop();
  }

  /** From now on nothing comes between the two. */
  addAdjacent(location: number, first: number, second: number): boolean {
    this.#adjacent[location].push(first, second);
    return this.order(location, first, second) && this.#keepTogether(location);
  }

  removeLatestAdjacent(location: number): void {
    this.#adjacent[location].length -= 2;
  }

  addLast(location: number, store: number): boolean {
    this.#last[location].push(store);
    return this.#keepTogether(location);
  }

  removeLatestLast(location: number): void {
    this.#last[location].pop();
  }

  #keepTogether(location: number): boolean {
    const stores = this.stores[location];
    const adjacent = this.#adjacent[location];
    for (const last of this.#last[location]) {
      for (let k = 0; k < stores.length; k++)
        if (stores[k] !== last && !this.has(stores[k], last)) return this.order(location, stores[k], last);
    }
    for (let pair = 0; pair < adjacent.length; pair += 2) {
      const first = adjacent[pair];
      const second = adjacent[pair + 1];
      for (let k = 0; k < stores.length; k++) {
        const other = stores[k];
        if (other === first || other === second) continue;
        // Whoever orders two begins again with keeping all together, so the first find is enough.
        if (this.has(first, other)) {
          if (!this.has(second, other)) return this.order(location, second, other);
        } else if (this.has(other, second) && !this.has(other, first)) return this.order(location, other, first);
      }
    }
    return true;
  }

  /** The first two stores of a location that nothing orders yet, as `[location, first, second]`. */
  unordered(): readonly [number, number, number] | null {
    for (let location = 0; location < this.stores.length; location++) {
      const stores = this.stores[location];
      for (let j = 2; j < stores.length; j++)
        for (let i = 1; i < j; i++)
          if (!this.has(stores[i], stores[j]) && !this.has(stores[j], stores[i]))
            return [location, stores[i], stores[j]];
    }
    return null;
  }

  /** The last store of a location whose order is total. */
  final(location: number): number {
    const stores = this.stores[location];
    let last = stores[0];
    for (let k = 1; k < stores.length; k++) if (this.has(last, stores[k])) last = stores[k];
    return last;
  }
}
