// SPDX-License-Identifier: GPL-2.0-only
import { Worker } from 'node:worker_threads';
import { NULL, thisCpu } from '@lockless/cpu/native';
import { mapLookup } from '@lockless/lookup/map';
import * as functions from '@lockless/lookup/map-functions';
import { NativeMachine } from '@lockless/native';
import { bootUrcu, rcuReadLock, rcuReadUnlock } from '@lockless/rcu/native';
import {
  EXPECT_ANY,
  immediate,
  valueMapCreate,
  valueMapStore,
  valueMapWriteBegin,
  valueMapWriteEnd,
} from '@lockless/value-map/native';
import fc from 'fast-check';
import { afterEach, expect, it } from 'vitest';
import { twice } from './machine.js';

let machine: NativeMachine;
afterEach(() => machine.detach());

type Map = ReturnType<typeof valueMapCreate> & { readonly brand?: never };

function bootMap(options: { webAssembly?: boolean } = {}): Exclude<Map, typeof NULL> {
  machine = NativeMachine.create({ words: 1_200_000, mayBlock: true, ...options });
  bootUrcu(machine.threads);
  const map = valueMapCreate();
  if (map === NULL) throw new Error('no memory for a map');
  return map as Exclude<Map, typeof NULL>;
}

function add(map: Exclude<Map, typeof NULL>, key: number, value: number): void {
  if (valueMapWriteBegin(map, key) !== 0) throw new Error('no memory for a node');
  valueMapStore(map, key, EXPECT_ANY, immediate(value));
  valueMapWriteEnd();
}

it('finds in WebAssembly what JavaScript finds, in trees of all heights, and leaves every word as that does', () => {
  const map = bootMap();
  const { mapPeek, inWebAssembly } = mapLookup(machine);
  expect(inWebAssembly).toBe(true);
  const key = fc.oneof(
    fc.nat(70),
    fc.nat(4200),
    fc.nat(),
    fc.constantFrom(0, 63, 64, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1),
  );
  const present = new Set<number>();
  fc.assert(
    fc.property(key, fc.array(key, { maxLength: 20 }), fc.boolean(), (added, wanted, within) => {
      add(map, added, added & 0xffff);
      present.add(added);
      const find = (peek: typeof mapPeek) => () => {
        if (within) rcuReadLock();
        const found = [added, ...wanted].map((each) => peek(map, each));
        if (within) rcuReadUnlock();
        return found;
      };
      const { results, differences } = twice(machine.words, [find(functions.mapPeek), find(mapPeek)]);
      expect(results[1]).toEqual(results[0]);
      expect(results[1]).toEqual([added, ...wanted].map((each) => (present.has(each) ? immediate(each & 0xffff) : 0)));
      expect(differences).toEqual([]);
      expect(thisCpu).toMatchObject({ preemptCount: 0, rcuReaders: 0 });
    }),
    { numRuns: 25 },
  );
});

it('is JavaScript over a plain SharedArrayBuffer', () => {
  const map = bootMap({ webAssembly: false });
  expect(machine.share().memory).toBe(undefined);
  expect(machine.words.buffer.constructor).toBe(SharedArrayBuffer);
  const { mapPeek, inWebAssembly } = mapLookup(machine);
  add(map, 9, 5);
  expect([inWebAssembly, mapPeek(map, 9), mapPeek(map, 8)]).toEqual([false, immediate(5), 0]);
});

it('comes to other threads with the handle of the machine', async () => {
  const map = bootMap();
  add(map, 2 ** 31, 77);
  const program = `
    import { parentPort, workerData } from 'node:worker_threads';
    import { mapLookup } from '@lockless/lookup/map';
    import { NativeMachine } from '@lockless/native';
    import '@lockless/value-map/native';
    const machine = NativeMachine.attach(workerData.handle);
    const { mapPeek, inWebAssembly } = mapLookup(machine);
    parentPort.postMessage([inWebAssembly, machine.words.length, mapPeek(workerData.map, 2 ** 31)]);
    machine.detach();`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(resolved(program))}`), {
    workerData: { handle: machine.share(), map },
    execArgv: [],
  });
  const said = await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  expect(said).toEqual([true, machine.words.length, immediate(77)]);
  await worker.terminate();
});

/** A module from a URL that holds it finds no packages by name. */
const resolved = (program: string): string =>
  program.replaceAll(/'(@lockless\/[\w/-]+)'/g, (_all, name) => {
    const [, folder, ...path] = name.split('/');
    const file = path.length === 0 ? 'index' : path[0] === 'native' ? 'native/index' : path.join('/');
    return `'${new URL(`../../${folder}/dist/${file}.js`, import.meta.url).href}'`;
  });
