// SPDX-License-Identifier: GPL-2.0-only
import { spinLock, spinUnlock } from '@lockless/cpu/native';
import { ValueMap } from '@lockless/value-map/native';
import { makeValue, verify } from './value.mjs';

export const KEYS = 500;
export const COUNTER = 4_000_000_000;

/** Control words: stop, and what each thread counted. */
const stopped = (control) => Atomics.load(control, 0) !== 0;

export const jobs = {
  /** Looks up and verifies until told to stop; counts lookups. */
  read(map, control, self) {
    let found = 0;
    for (let round = 0; !stopped(control); round++) {
      for (let i = 0; i < 200; i++) {
        const key = (Math.random() * KEYS) | 0;
        const value = map.get(key);
        if (value === undefined) continue;
        verify(key, value);
        found++;
      }
      Atomics.store(control, 1 + self, found);
      let last = -1;
      if (round % 10 !== 0) continue;
      for (const [key, value] of map.entries()) {
        if (key <= last) throw new Error(`key ${key} comes after ${last}`);
        last = key;
        if (key < KEYS) verify(key, value);
      }
    }
  },
  /** Sets, replaces and deletes until told to stop; counts changes. */
  write(map, control, self) {
    let changes = 0;
    for (; !stopped(control); changes++) {
      const key = (Math.random() * KEYS) | 0;
      const what = Math.random();
      if (what < 0.5) map.set(key, makeValue(key, (Math.random() * 1e6) | 0));
      else if (what < 0.7) map.set(key, key + 1000 * ((Math.random() * 2e6) | 0));
      else if (what < 0.9) map.delete(key);
      else map.update(key, (old) => (typeof old === 'number' ? makeValue(key, old) : key));
      Atomics.store(control, 1 + self, changes);
    }
  },
  /** Counts a counter up; says how often. */
  count(map, control, self) {
    while (!stopped(control)) {
      map.add(COUNTER, 1);
      Atomics.add(control, 1 + self, 1);
    }
  },
  /** Holds the lock that writers take, until told; or, by control word 1, for a while. */
  holdLock(map, control) {
    const lock = ValueMap.lock(map.share().address);
    spinLock(lock);
    postReady();
    while (Atomics.load(control, 0) === 0 && Atomics.load(control, 1) === 0) Atomics.wait(control, 0, 0, 5);
    if (Atomics.load(control, 1) !== 0) Atomics.wait(control, 0, 0, 100);
    spinUnlock(lock);
    map.set(0, 0);
    map.delete(0);
  },
  /** Deletes a value when told, and stays until told again. */
  deleteAndStay(map, control) {
    Atomics.wait(control, 0, 0);
    Atomics.wait(control, 2, 0, 20);
    map.delete(1);
    Atomics.wait(control, 0, 1);
  },
  /** A reader that goes no further in the middle of its section. */
  stayInReader(map) {
    map.update(0, () => {
      postReady();
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });
  },
};

let postReady = () => undefined;
export const whenReady = (call) => {
  postReady = call;
};
