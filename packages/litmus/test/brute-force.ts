// SPDX-License-Identifier: MIT
import { type Event, INITIAL, type MemoryModel, Relation } from '@lockless/memory-model';
import { incrementsOf, LARGEST_STORED, type Run, runsOf } from './guessed-runs.js';
import type { Cell, Program } from './random-program.js';

/*
 * All executions of a small program, found the slow way: guess what every load returns, run the threads with that, try every store that wrote the
 * guessed value and every order of the stores, and keep what the model does not forbid. Shares nothing with the package.
 */

const VARIABLES = ['x', 'y', 'p', 'l'] as const;

/** Candidates that are tried at most. */
const BUDGET = 1500;

/** One text for each consistent execution: who reads from whom, and the order of the stores. Null when there are too many candidates to try. */
export function executionsOf(program: Program, model: MemoryModel): string[] | null {
  const largest = LARGEST_STORED + program.reduce((sum, thread) => sum + incrementsOf(thread), 0);
  const runs = program.map((thread) => runsOf(thread, largest));
  if (runs.reduce((product, { length }) => product * length, 1) > BUDGET) return null;
  const found: string[] = [];
  const budget = { left: BUDGET };
  const choose = (chosen: readonly Run[], rest: readonly Run[][]): void => {
    if (rest.length === 0) found.push(...executionsOfRuns(chosen, model, budget));
    else if (budget.left >= 0) for (const run of rest[0]) choose([...chosen, run], rest.slice(1));
  };
  choose([], runs);
  return budget.left < 0 ? null : found;
}

function executionsOfRuns(runs: readonly Run[], model: MemoryModel, budget: { left: number }): string[] {
  const names: string[] = [...VARIABLES];
  const events: Event[] = names.map((_, location) => ({
    thread: INITIAL,
    type: 'W',
    tag: 'once',
    location,
    partner: -1,
    value: 0,
  }));
  const values: Cell[] = names.map((name) => (name === 'p' ? 'x' : 0));
  const labels = names.map((name) => `init ${name}`);
  const bases = runs.map(({ events: own }, thread) => {
    const base = events.length;
    for (const [index, { type, tag, at, value, load, failed }] of own.entries()) {
      const partner = load !== -1 ? base + load : own.findIndex((other) => other.load === index);
      const number = partner === -1 || load !== -1 ? partner : base + partner;
      const location = at === null ? -1 : names.indexOf(at);
      events.push({ thread, type, tag, location, partner: number, value: 0, failed });
      values.push(value);
      labels.push(`${thread}.${index}`);
    }
    return base;
  });
  const size = events.length;
  const skeleton = { events, addr: new Relation(size), data: new Relation(size), ctrl: new Relation(size) };
  for (const [thread, { events: own }] of runs.entries())
    for (const [index, { addr, data, ctrl }] of own.entries()) {
      for (const load of addr) skeleton.addr.add(bases[thread] + load, bases[thread] + index);
      for (const load of data) skeleton.data.add(bases[thread] + load, bases[thread] + index);
      for (const load of ctrl) skeleton.ctrl.add(bases[thread] + load, bases[thread] + index);
    }
  const reads = events.flatMap(({ type }, number) => (['R', 'LKR', 'LF'].includes(type) ? [number] : []));
  const isStore = ({ type }: Event): boolean => ['W', 'LKW', 'UL'].includes(type);
  const sources = reads.map((read) =>
    events.flatMap((store, number) =>
      isStore(store) && store.location === events[read].location && values[number] === values[read] ? [number] : [],
    ),
  );
  if (sources.some(({ length }) => length === 0)) return [];
  const stores = names.map((_, location) =>
    events.flatMap((store, number) =>
      isStore(store) && store.location === location && store.thread !== INITIAL ? [number] : [],
    ),
  );
  // Counted before they are made: five critical sections that end have ten stores of their lock, in millions of orders.
  const candidates = [...sources.map(({ length }) => length), ...stores.map(({ length }) => factorial(length))];
  budget.left -= candidates.reduce((product, choices) => product * choices, 1);
  if (budget.left < 0) return [];
  const orders = stores.map(permutations);
  const checker = model.instantiate(skeleton);
  const found: string[] = [];
  const rf = new Int32Array(size).fill(-1);
  const chosen: number[][] = [];
  const order = (location: number): void => {
    if (location < names.length) {
      for (const permutation of orders[location]) {
        chosen[location] = permutation;
        order(location + 1);
      }
      return;
    }
    const co = new Relation(size);
    for (const [initial, stores] of chosen.entries())
      for (const [index, store] of stores.entries()) {
        co.add(initial, store);
        for (const later of stores.slice(index + 1)) co.add(store, later);
      }
    if (checker.broken({ rf, co }) !== null || torn(events, chosen)) return;
    found.push(describe(labels, events, [...rf], chosen, names));
  };
  const read = (index: number): void => {
    if (index === reads.length) return order(0);
    for (const source of sources[index]) {
      rf[reads[index]] = source;
      read(index + 1);
    }
  };
  read(0);
  return found;
}

/** Whether a critical section is not in one piece, or one that never ends is not the last. */
function torn(events: readonly Event[], orders: readonly (readonly number[])[]): boolean {
  return orders.some((order) =>
    order.some((store, index) => {
      if (events[store].type !== 'LKW' || index === order.length - 1) return false;
      const next = events[order[index + 1]];
      return next.type !== 'UL' || next.thread !== events[store].thread;
    }),
  );
}

export function describe(
  labels: readonly string[],
  events: readonly Event[],
  rf: readonly number[],
  orders: readonly (readonly number[])[],
  names: readonly string[],
): string {
  const reads = events
    .flatMap((_, number) => (rf[number] >= 0 ? [`${labels[number]}<-${labels[rf[number]]}`] : []))
    .sort();
  const stores = orders.flatMap((order, location) =>
    order.length === 0 ? [] : [`${names[location]}:${order.map((store) => labels[store]).join('<')}`],
  );
  return `${reads.join(' ')} | ${stores.sort().join(' ')}`;
}

const factorial = (n: number): number => (n < 2 ? 1 : n * factorial(n - 1));

function permutations(items: readonly number[]): number[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, index) =>
    permutations([...items.slice(0, index), ...items.slice(index + 1)]).map((rest) => [item, ...rest]),
  );
}
