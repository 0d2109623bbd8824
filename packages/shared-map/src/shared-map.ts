// SPDX-License-Identifier: GPL-2.0-only
import type { Ptr } from '@lockless/cpu/native';
import { EAGAIN } from '@lockless/mm-types/native';
import type { NativeMachine, ThreadOptions } from '@lockless/native';
import { rcuReadLock, rcuReadUnlock } from '@lockless/rcu/native';
import {
  EXPECT_ANY,
  immediateValue,
  isImmediate,
  type ValueMap,
  valueMapCreate,
  valueMapGang,
  valueMapLoad,
  valueMapSize,
  valueMapTagged,
} from '@lockless/value-map/native';
import { Changes, KEEP } from './changes.js';
import { decode, type SharedValue, sameValue } from './codec.js';
import { SharedMapError } from './error.js';
import { Home } from './home.js';
import { checkedTag, checkKey, MAX_KEY } from './key.js';
import type { CreateOptions, SharedMapHandle } from './options.js';
import { Peeks, UNKNOWN } from './peeks.js';
import { machineStatistics, type SharedMapStatistics } from './statistics.js';

/** Entries that an iteration takes at once. */
const GANG = 64;

/**
 * A map from unsigned 32-bit integers, in ascending order, to integers, strings and bytes, shared by threads. Lookups take no lock and wait for nobody; changes are
 * made one at a time.
 */
export class SharedMap {
  private readonly home: Home;
  private readonly map: Ptr<ValueMap>;
  private readonly changes: Changes;
  private readonly peeks: Peeks;
  private attached = true;

  private constructor(home: Home, map: Ptr<ValueMap>) {
    this.home = home;
    this.map = map;
    this.changes = new Changes(home, map);
    this.peeks = new Peeks(home.lookup, map);
    home.enter();
  }

  /** Makes an empty map, in the memory of this thread's other maps if it has any. */
  static create(options: CreateOptions = {}): SharedMap {
    const { machine, bytes = 1 << 26, ...others } = options;
    const home = machine === undefined ? Home.make({ ...others, words: bytes >>> 2 }) : Home.of(machine);
    const map = valueMapCreate();
    if (map === 0) throw new SharedMapError('ERR_OUT_OF_MEMORY', 'there is no memory left for another map');
    return new SharedMap(home, map);
  }

  /** Takes part in a map that another thread made. */
  static attach(
    handle: SharedMapHandle,
    options: ThreadOptions & { readonly machine?: NativeMachine } = {},
  ): SharedMap {
    if (handle?.type !== 'lockless-shared-map')
      throw new SharedMapError(
        'ERR_NOT_A_MAP',
        'attach() expects what share() of a map gave, sent by postMessage() or workerData',
      );
    const { machine, ...thread } = options;
    const home =
      machine === undefined ? Home.attach(handle.machine, handle.home, thread) : Home.of(machine, handle.home);
    return new SharedMap(home, handle.address as Ptr<ValueMap>);
  }

  /** What other threads attach to; for any number of them. */
  share(): SharedMapHandle {
    return {
      type: 'lockless-shared-map',
      machine: this.home.machine.share(),
      home: this.home.id,
      address: this.map,
    };
  }

  /** This thread takes part no longer. The map stays as long as some thread has the memory. */
  detach(): void {
    this.alive();
    this.attached = false;
    this.home.leave();
  }

  [Symbol.dispose](): void {
    if (this.attached) this.detach();
  }

  /** Entries. */
  get size(): number {
    this.alive();
    return valueMapSize(this.map);
  }

  /** The value of a key. A string or bytes are a copy. */
  get(key: number): SharedValue | undefined {
    this.checked(key);
    const peeked = this.peeks.entry(key);
    if (peeked !== UNKNOWN) return peeked === 0 ? undefined : immediateValue(peeked);
    rcuReadLock();
    const entry = valueMapLoad(this.map, key);
    if (entry === 0 || isImmediate(entry)) {
      rcuReadUnlock();
      this.peeks.again();
      return entry === 0 ? undefined : immediateValue(entry);
    }
    return this.leaveReader(() => decode(entry));
  }

  has(key: number): boolean {
    this.checked(key);
    return this.home.lookup.mapPeek(this.map, key) !== 0;
  }

  /** Throws SharedMapError ERR_OUT_OF_MEMORY when there is no room; the map is as before then. */
  set(key: number, value: SharedValue): this {
    this.checked(key);
    if (value === undefined) throw new TypeError('undefined is no value: delete() the key');
    this.changes.untilRoom(() => this.changes.store(key, EXPECT_ANY, value));
    return this;
  }

  /** Returns whether the key had a value. */
  delete(key: number): boolean {
    this.checked(key);
    return this.changes.untilRoom(() => this.changes.store(key, EXPECT_ANY, undefined)) === 1;
  }

  /**
   * Replaces a value by what a function makes of it (undefined: none), and returns that. When others change the value meanwhile the function is called again. It
   * may use the map, and must not take long: until it returns, nothing that leaves a map is freed.
   */
  update(key: number, change: (value: SharedValue | undefined) => SharedValue | undefined): SharedValue | undefined {
    this.checked(key);
    let next: SharedValue | undefined;
    this.changes.untilRoom(() => {
      for (;;) {
        rcuReadLock();
        const entry = valueMapLoad(this.map, key);
        // The section goes on until the entry is compared: no other value can have its address then.
        next = this.orLeaveReader(() => change(decode(entry)));
        const result = entry === 0 && next === undefined ? 0 : this.changes.store(key, entry, next);
        rcuReadUnlock();
        if (result !== -EAGAIN) return result;
      }
    });
    return next;
  }

  /** Stores a value if the key has the expected one (undefined: none; bytes are compared by content), and returns whether it did. */
  compareAndSet(key: number, expected: SharedValue | undefined, value: SharedValue | undefined): boolean {
    let same = false;
    this.update(key, (old) => {
      same = sameValue(old, expected);
      if (!same) throw KEEP;
      return value;
    });
    return same;
  }

  /** Adds to an integer, 0 where there is none, and returns the sum. */
  add(key: number, amount: number): number {
    return this.update(key, (old = 0) => {
      if (typeof old !== 'number') throw new TypeError(`the value of key ${key} is no integer: it cannot be added to`);
      return (old + amount) | 0;
    }) as number;
  }

  /** Tags a key with 0 or 1, for {@link SharedMap.entries}. A value that replaces another keeps the tags. Returns whether the key has a value. */
  tag(key: number, tag: 0 | 1): boolean {
    this.checked(key);
    return this.changes.tag(key, checkedTag(tag), true);
  }

  untag(key: number, tag: 0 | 1): boolean {
    this.checked(key);
    return this.changes.tag(key, checkedTag(tag), false);
  }

  hasTag(key: number, tag: 0 | 1): boolean {
    this.checked(key);
    rcuReadLock();
    const tagged = valueMapTagged(this.map, key, checkedTag(tag));
    rcuReadUnlock();
    return tagged;
  }

  /**
   * Keys and values from a key on, in ascending order; with a tag, those that have it. Others may write meanwhile: what was there all the
   * time is there, once, and each value is one that the key had.
   */
  *entries(from = 0, { tag }: { readonly tag?: 0 | 1 } = {}): Generator<[key: number, value: SharedValue]> {
    this.checked(from);
    const wanted = tag === undefined ? -1 : checkedTag(tag);
    for (let next = from; next <= MAX_KEY; ) {
      const found = this.gang(next, wanted);
      if (found.length === 0) return;
      yield* found;
      next = found[found.length - 1][0] + 1;
    }
  }

  *keys(from = 0): Generator<number> {
    for (const [key] of this.entries(from)) yield key;
  }

  *values(from = 0): Generator<SharedValue> {
    for (const [, value] of this.entries(from)) yield value;
  }

  [Symbol.iterator](): Generator<[key: number, value: SharedValue]> {
    return this.entries();
  }

  /** Deletes every key that there is when it comes to it. */
  clear(): void {
    for (const key of this.keys()) this.delete(key);
    this.reclaim();
  }

  /** As set(), without blocking this thread: while another writer or the readers of old values are waited for, other events go on. */
  async setAsync(key: number, value: SharedValue): Promise<void> {
    await this.changes.patiently(() => this.set(key, value));
  }

  /** As delete(); see {@link SharedMap.setAsync}. */
  deleteAsync(key: number): Promise<boolean> {
    return this.changes.patiently(() => this.delete(key));
  }

  /** As update(); see {@link SharedMap.setAsync}. */
  updateAsync(
    key: number,
    change: (value: SharedValue | undefined) => SharedValue | undefined,
  ): Promise<SharedValue | undefined> {
    return this.changes.patiently(() => this.update(key, change));
  }

  /** Frees what left a map and no reader can see any more; done now and then by those who write. False: another thread is at it. */
  reclaim(): boolean {
    this.alive();
    return this.changes.reclaim();
  }

  statistics(): SharedMapStatistics {
    const { machine, deaths } = this.home;
    return { size: this.size, ...machineStatistics(machine), deaths };
  }

  private gang(from: number, tag: number): [number, SharedValue][] {
    this.alive();
    rcuReadLock();
    return this.leaveReader(() => {
      const { indices, entries } = valueMapGang(this.map, from, GANG, tag);
      return indices.map((key, i) => [key, decode(entries[i]) as SharedValue]);
    });
  }

  /** The end of a reader, whatever happens. */
  private leaveReader<T>(read: () => T): T {
    try {
      return read();
    } finally {
      rcuReadUnlock();
    }
  }

  /** The end of a reader, if something happens. */
  private orLeaveReader<T>(call: () => T): T {
    try {
      return call();
    } catch (error) {
      rcuReadUnlock();
      throw error;
    }
  }

  private checked(key: number): void {
    checkKey(key);
    this.alive();
  }

  private alive(): void {
    if (!this.attached) throw new SharedMapError('ERR_DETACHED', 'this thread has detached from the map');
  }
}
