// SPDX-License-Identifier: MIT
import { type Event, INITIAL, lkmm, type MemoryModel, Relation, sc, type Tag, tso } from '@lockless/memory-model';
import type { ModelName } from '../../src/result.js';
import { type Instruction, lockWord, type RandomProgram, variable } from './random-program.js';

/*
 * Every execution of a random program by enumeration: all runs of each thread for all values that its loads might return, all stores that the loads
 * may have read them from, all coherence orders; what is left is what the model's axioms allow and program order and reads-from do not make a cycle of.
 * It shares nothing with the explorer but the definition of the models.
 */

interface RunEvent {
  readonly type: 'R' | 'W' | 'RMW' | 'F';
  readonly address: number;
  readonly read: number;
  readonly written: number;
  readonly load: Tag;
  readonly store: Tag;
  readonly lock: boolean;
}
type Run = readonly RunEvent[];

/** Runs of a thread, for all values of `domain` that a load of an address may return. */
function runsOf(code: readonly Instruction[], domain: ReadonlyMap<number, ReadonlySet<number>>): Run[] {
  const runs: Run[] = [];
  const values = (address: number): number[] => [...(domain.get(address) ?? [0])];
  const go = (at: number, register: number, events: readonly RunEvent[]): void => {
    const i = code[at];
    if (i === undefined) {
      runs.push(events);
      return;
    }
    const next = (event: Partial<RunEvent>, then = register): void =>
      go(at + 1, then, [...events, { ...NOTHING, ...event } as RunEvent]);
    const rmw = (
      address: number,
      update: (old: number) => number | null,
      load: Tag,
      store: Tag,
      keeps: boolean,
    ): void => {
      for (const old of values(address)) {
        const written = update(old);
        const then = keeps ? register : old;
        if (written === null) next({ type: 'R', address, read: old, load, lock: false, failed: true } as never, then);
        else next({ type: 'RMW', address, read: old, written, load, store }, then);
      }
    };
    switch (i.op) {
      case 'read':
        for (const read of values(variable(i.x)))
          next({ type: 'R', address: variable(i.x), read, load: i.order }, read);
        return;
      case 'write':
        next({ type: 'W', address: variable(i.x), written: i.value, store: i.order });
        return;
      case 'write-register':
        next({ type: 'W', address: variable(i.x), written: register + 1, store: 'once' });
        return;
      case 'add': {
        const tag = i.order === 'full' ? 'mb' : 'noreturn';
        rmw(variable(i.x), (old) => old + 1, tag, tag, i.order !== 'full');
        return;
      }
      case 'xchg':
        rmw(
          variable(i.x),
          () => i.value,
          i.order === 'acquire' ? 'acquire' : 'once',
          i.order === 'release' ? 'release' : 'once',
          false,
        );
        return;
      case 'cmpxchg': {
        const tag = i.order === 'full' ? 'mb' : 'once';
        rmw(variable(i.x), (old) => (old === i.expected ? i.value : null), tag, tag, false);
        return;
      }
      case 'fence':
        next({ type: 'F', load: i.fence });
        return;
      case 'publish':
      case 'dereference':
        throw new Error('not enumerated');
      case 'exit-unless-zero':
        if (register !== 0) runs.push(events);
        else go(at + 1, register, events);
        return;
      case 'lock':
      case 'trylock': {
        const address = lockWord(i.lock);
        next({ type: 'RMW', address, read: 0, written: 1, load: 'acquire', store: 'once', lock: true });
        if (i.op === 'trylock')
          runs.push([...events, { ...NOTHING, type: 'R', address, read: 1, load: 'once', lock: true }]);
        return;
      }
      case 'unlock':
        next({ type: 'W', address: lockWord(i.lock), written: 0, store: 'release', lock: true });
        return;
    }
  };
  go(0, 0, []);
  return runs;
}

const NOTHING: RunEvent = { type: 'F', address: -1, read: 0, written: 0, load: 'once', store: 'once', lock: false };

function combinations<T>(lists: readonly (readonly T[])[]): T[][] {
  return lists.reduce<T[][]>((found, list) => found.flatMap((before) => list.map((item) => [...before, item])), [[]]);
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, i) =>
    permutations([...items.slice(0, i), ...items.slice(i + 1)]).map((rest) => [item, ...rest]),
  );
}

const MODELS: Readonly<Record<ModelName, MemoryModel>> = { sc, tso, lkmm };

/** The executions, each as a string that tells its graph: see {@link graphKey}. */
export function enumerate(program: RandomProgram, model: ModelName): string[] {
  let domain = new Map<number, Set<number>>();
  // Values that can be stored, from those that can be read, until there are no more (fetch_add: as many as there are instructions).
  for (let round = 0; round < program.flat().length + 1; round++) {
    const next = new Map<number, Set<number>>();
    for (const run of program.flatMap((code) => runsOf(code, domain)))
      for (const { type, address, written } of run)
        if (type === 'W' || type === 'RMW') next.set(address, (next.get(address) ?? new Set([0])).add(written));
    domain = next;
  }
  return combinations(program.map((code) => runsOf(code, domain)))
    .filter(haveSources)
    .flatMap((runs) => executionsOf(runs, MODELS[model]));
}

/** Each value that is read is stored by somebody. */
function haveSources(runs: readonly Run[]): boolean {
  const stored = new Set(
    runs
      .flat()
      .flatMap(({ type, address, written }) => (type === 'W' || type === 'RMW' ? [`${address} ${written}`] : [])),
  );
  return runs
    .flat()
    .every(({ type, address, read }) => type === 'W' || type === 'F' || read === 0 || stored.has(`${address} ${read}`));
}

/** A graph as a string: what each event of each thread reads from, and the coherence order of each address. */
export function graphKey(
  readsFrom: readonly (readonly string[])[],
  coherence: ReadonlyMap<number, readonly string[]>,
): string {
  const orders = [...coherence].filter(([, stores]) => stores.length > 0).sort(([a], [b]) => a - b);
  return `${readsFrom.map((thread) => thread.join(' ')).join(' | ')} ; ${orders.map(([x, stores]) => `${x}: ${stores.join(' ')}`).join(', ')}`;
}

function executionsOf(runs: readonly Run[], model: MemoryModel): string[] {
  const events: Event[] = [];
  const names: string[] = [];
  const places: { load: number; store: number }[][] = [];
  const addresses = [...new Set(runs.flat().map(({ address }) => address))].filter((address) => address >= 0);
  const initial = new Map(addresses.map((address, i) => [address, i]));
  for (const location of addresses) {
    events.push({ thread: INITIAL, type: 'W', tag: 'once', location, partner: -1, value: 0 });
    names.push('init');
  }
  runs.forEach((run, thread) => {
    places.push(
      run.map((event, index) => {
        const { type, address: location, read, written, load, store, lock } = event;
        const name = `${thread}.${run.slice(0, index).filter((before) => before.type !== 'F').length}`;
        const at = events.length;
        const put = (e: Partial<Event>, value: number): number => {
          events.push({ thread, location, partner: -1, tag: 'once', type: 'F', ...e, value });
          names.push(name);
          return events.length - 1;
        };
        if (type === 'F') {
          put({ tag: load, location: -1 }, 0);
          return { load: -1, store: -1 };
        }
        const failed = (event as { failed?: boolean }).failed === true ? { failed: true } : {};
        if (type === 'R') return { load: put({ type: lock ? 'LF' : 'R', tag: load, ...failed }, read), store: -1 };
        if (type === 'W') return { load: -1, store: put({ type: lock ? 'UL' : 'W', tag: store }, written) };
        return {
          load: put({ type: lock ? 'LKR' : 'R', tag: load, partner: at + 1 }, read),
          store: put({ type: lock ? 'LKW' : 'W', tag: store, partner: at }, written),
        };
      }),
    );
  });
  const size = events.length;
  const ctrl = new Relation(size);
  for (let i = 0; i < size; i++)
    for (let j = i + 1; j < size; j++)
      if (events[i].thread === events[j].thread && isLoad(events[i]) && isStore(events[j])) ctrl.add(i, j);
  const skeleton = { events, addr: new Relation(size), data: new Relation(size), ctrl };
  const checker = model.instantiate(skeleton);
  const loads = events.flatMap((event, i) => (isLoad(event) ? [i] : []));
  const stores = (location: number): number[] =>
    events.flatMap((e, i) => (isStore(e) && e.location === location && e.thread !== INITIAL ? [i] : []));
  const sources = loads.map((l) =>
    [initial.get(events[l].location) as number, ...stores(events[l].location)].filter(
      (s) => events[s].value === events[l].value && events[l].partner !== s,
    ),
  );
  const orders = combinations(addresses.map((address) => permutations(stores(address))));
  const found: string[] = [];
  for (const chosen of combinations(sources)) {
    const rf = new Int32Array(size).fill(-1);
    loads.forEach((l, i) => {
      rf[l] = chosen[i];
    });
    if (!isCausal(events, rf)) continue;
    for (const order of orders) {
      const co = new Relation(size);
      order.forEach((list, a) => {
        const all = [initial.get(addresses[a]) as number, ...list];
        all.forEach((later, i) => {
          for (let j = 0; j < i; j++) co.add(all[j], later);
        });
      });
      if (checker.broken({ rf, co }) !== null) continue;
      const readsFrom = places.map((thread, t) =>
        thread.flatMap(({ load }, i) => (runs[t][i].type === 'F' ? [] : [load < 0 ? '-' : names[rf[load]]])),
      );
      found.push(graphKey(readsFrom, new Map(order.map((list, a) => [addresses[a], list.map((s) => names[s])]))));
    }
  }
  return found;
}

const isLoad = ({ type }: Event): boolean => type === 'R' || type === 'LKR' || type === 'LF';
const isStore = ({ type }: Event): boolean => type === 'W' || type === 'LKW' || type === 'UL';

/** Program order and reads-from have no cycle. */
function isCausal(events: readonly Event[], rf: Int32Array): boolean {
  const done = new Set<number>();
  for (let progress = true; progress; ) {
    progress = false;
    for (let i = 0; i < events.length; i++) {
      const { thread } = events[i];
      if (done.has(i) || (thread !== INITIAL && i > 0 && events[i - 1].thread === thread && !done.has(i - 1))) continue;
      if (rf[i] !== -1 && !done.has(rf[i])) continue;
      done.add(i);
      progress = true;
    }
  }
  return done.size === events.length;
}
