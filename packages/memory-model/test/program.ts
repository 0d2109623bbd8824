// SPDX-License-Identifier: MIT
import {
  type Event,
  type EventType,
  INITIAL,
  type MemoryModel,
  Relation,
  type Skeleton,
  type Tag,
  type Witness,
} from '../src/index.js';

/** An event to be; several for a read-modify-write or a lock acquisition. */
export interface Instruction {
  readonly type: EventType;
  readonly tag: Tag;
  readonly location: string | null;
  /** For dependencies and outcomes. */
  readonly name?: string;
  readonly addr?: readonly string[];
  readonly data?: readonly string[];
  readonly ctrl?: readonly string[];
  readonly value?: number;
  readonly failed?: boolean;
  /** Joined with the instruction after it. */
  readonly rmw?: boolean;
}
type Extra = Partial<Pick<Instruction, 'name' | 'addr' | 'data' | 'ctrl' | 'value'>>;

export const R = (location: string, tag: Tag = 'once', extra: Extra = {}): Instruction => ({
  type: 'R',
  tag,
  location,
  ...extra,
});
export const W = (location: string, tag: Tag = 'once', extra: Extra = {}): Instruction => ({
  type: 'W',
  tag,
  location,
  ...extra,
});
export const F = (tag: Tag, location: string | null = null, extra: Extra = {}): Instruction => ({
  type: 'F',
  tag,
  location,
  ...extra,
});
export const mb: Instruction = F('mb');
/** A read-modify-write: `xchg`, `xchg_acquire`, ...; the name of its load is `name`, of its store `name'`. */
export function rmw(
  location: string,
  order: 'mb' | 'once' | 'acquire' | 'release' | 'noreturn' = 'mb',
  extra: Extra = {},
): Instruction[] {
  const read: Tag = order === 'release' ? 'once' : order;
  const write: Tag = order === 'acquire' ? 'once' : order;
  const { name, ...rest } = extra;
  return [
    { type: 'R', tag: read, location, ...(name === undefined ? {} : { name }), rmw: true },
    { type: 'W', tag: write, location, ...(name === undefined ? {} : { name: `${name}'` }), ...rest },
  ];
}
/** A cmpxchg that failed. */
export const failed = (location: string, tag: Tag = 'mb', extra: Extra = {}): Instruction => ({
  type: 'R',
  tag,
  location,
  failed: true,
  ...extra,
});
export const lock = (location: string): Instruction[] => [
  { type: 'LKR', tag: 'plain', location, rmw: true },
  { type: 'LKW', tag: 'plain', location },
];
export const unlock = (location: string): Instruction => ({ type: 'UL', tag: 'plain', location });
export const rcu = (...inside: Code[]): Code[] => [F('rcu-lock'), ...inside, F('rcu-unlock')];
export const sync: Instruction = F('sync-rcu');
/** srcu_read_lock() and srcu_read_unlock() as fences with a location, joined by a data dependency. */
export const srcu = (domain: string, name: string, ...inside: Code[]): Code[] => [
  F('srcu-lock', domain, { name }),
  ...inside,
  F('srcu-unlock', domain, { data: [name] }),
];

export type Code = Instruction | readonly Code[];

export interface Program {
  readonly skeleton: Skeleton;
  readonly names: ReadonlyMap<string, number>;
}

const flatten = (code: Code): Instruction[] => (Array.isArray(code) ? code.flatMap(flatten) : [code as Instruction]);

/** The execution graph of straight-line threads, but for who reads from whom. Initial stores come first, by location. */
export function program(...threads: readonly Code[]): Program {
  const code = threads.map(flatten);
  const locations = [
    ...new Set(code.flat().flatMap(({ location, type }) => (location === null || type === 'F' ? [] : [location]))),
  ].sort();
  const number = (location: string | null): number => {
    if (location === null) return -1;
    const at = locations.indexOf(location);
    return at === -1 ? 100 + location.charCodeAt(0) : at;
  };
  const events: Event[] = locations.map((_, location) => ({
    thread: INITIAL,
    type: 'W',
    tag: 'once',
    location,
    partner: -1,
    value: 0,
  }));
  const names = new Map(locations.map((location, i) => [`init ${location}`, i]));
  let value = 0;
  const all: Instruction[] = [];
  code.forEach((instructions, thread) => {
    let partnerOf = -1;
    for (const { type, tag, location, name, rmw: joined, failed: failure, value: given } of instructions) {
      const i = events.length;
      const partner = joined === true ? i + 1 : partnerOf;
      partnerOf = joined === true ? i : -1;
      if (name !== undefined) names.set(name, i);
      const event = {
        thread,
        type,
        tag,
        location: number(location),
        partner,
        value: given ?? (type === 'W' ? ++value : 0),
      };
      events.push(failure === true ? { ...event, failed: true } : event);
    }
    all.push(...instructions);
  });
  const dependency = (of: (instruction: Instruction) => readonly string[] | undefined): Relation => {
    const relation = new Relation(events.length);
    all.forEach((instruction, i) => {
      for (const name of of(instruction) ?? []) relation.add(names.get(name)!, locations.length + i);
    });
    return relation;
  };
  const skeleton: Skeleton = {
    events,
    addr: dependency((i) => i.addr),
    data: dependency((i) => i.data),
    ctrl: dependency((i) => i.ctrl),
  };
  return { skeleton, names };
}

const isLoad = ({ type }: Event): boolean =>
  type === 'R' || type === 'LKR' || type === 'LF' || type === 'RL' || type === 'RU';
const isStore = ({ type }: Event): boolean => type === 'W' || type === 'LKW' || type === 'UL';

function* permutations(of: readonly number[]): Generator<readonly number[]> {
  if (of.length <= 1) yield of;
  else
    for (const [i, first] of of.entries()) for (const rest of permutations(of.toSpliced(i, 1))) yield [first, ...rest];
}

/** Every complete witness: each load from each store to its location, the stores to each location in each order. */
export function* witnesses({ events }: Skeleton): Generator<Witness> {
  const size = events.length;
  const loads = events.flatMap((event, i) => (isLoad(event) ? [i] : []));
  const stores = new Map<number, number[]>();
  events.forEach((event, i) => {
    if (isStore(event)) stores.set(event.location, [...(stores.get(event.location) ?? []), i]);
  });
  const rf = new Int32Array(size).fill(-1);
  function* sources(k: number): Generator<void> {
    if (k === loads.length) yield;
    else
      for (const store of stores.get(events[loads[k]].location) ?? []) {
        if (store === events[loads[k]].partner) continue;
        rf[loads[k]] = store;
        yield* sources(k + 1);
      }
  }
  function* orders(left: readonly (readonly number[])[], co: Relation): Generator<Relation> {
    if (left.length === 0) yield co;
    else
      for (const order of permutations(left[0].filter((i) => events[i].thread !== INITIAL))) {
        const more = new Relation(size).copy(co);
        const chain = [...left[0].filter((i) => events[i].thread === INITIAL), ...order];
        chain.forEach((first, i) => {
          for (const second of chain.slice(i + 1)) more.add(first, second);
        });
        yield* orders(left.slice(1), more);
      }
  }
  for (const co of orders([...stores.values()], new Relation(size)))
    for (const _ of sources(0)) yield { rf: rf.slice(), co };
}

/** How many executions the model allows. */
export function count(model: MemoryModel, { skeleton }: Program): number {
  const checker = model.instantiate(skeleton);
  let allowed = 0;
  for (const witness of witnesses(skeleton)) if (checker.broken(witness) === null) allowed++;
  return allowed;
}

/** What loads read (`r` from `w`, or from `init x`) and which stores come first (`w1 < w2`), by names. */
export interface Outcome {
  readonly reads?: Readonly<Record<string, string>>;
  readonly order?: readonly (readonly [string, string])[];
}

export function matches({ names }: Program, { rf, co }: Witness, { reads = {}, order = [] }: Outcome): boolean {
  const at = (name: string): number => {
    const event = names.get(name);
    if (event === undefined) throw new Error(`no event ${name}`);
    return event;
  };
  return (
    Object.entries(reads).every(([load, store]) => rf[at(load)] === at(store)) &&
    order.every(([first, second]) => co.has(at(first), at(second)))
  );
}

/** The axioms that executions with the outcome break, by name; `allowed` when one breaks none. */
export function verdict(model: MemoryModel, test: Program, outcome: Outcome): string {
  const checker = model.instantiate(test.skeleton);
  const axioms = new Set<string>();
  let any = false;
  for (const witness of witnesses(test.skeleton)) {
    if (!matches(test, witness, outcome)) continue;
    any = true;
    const axiom = checker.broken(witness);
    if (axiom === null) return 'allowed';
    axioms.add(axiom);
  }
  if (!any) throw new Error('no execution has the outcome');
  // The axiom that the execution broken last gets to.
  return model.axioms.filter((axiom) => axioms.has(axiom)).at(-1)!;
}

/** Flags of all consistent executions. */
export function flags(model: MemoryModel, { skeleton }: Program): string[] {
  const checker = model.instantiate(skeleton);
  const found = new Set<string>();
  for (const witness of witnesses(skeleton))
    if (checker.broken(witness) === null) for (const flag of checker.flags(witness)) found.add(flag);
  return [...found];
}
