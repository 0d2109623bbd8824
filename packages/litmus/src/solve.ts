// SPDX-License-Identifier: MIT
import { lkmm, type MemoryModel, Relation, sc, tso } from '@lockless/memory-model';
import type { Litmus, Place, Position } from './ast.js';
import { elaborate, type Program } from './elaborate.js';
import type { End, Planned, Segment } from './elaborate-event.js';
import type { Value } from './elaborate-value.js';
import { LitmusError } from './error.js';
import { nestedLock } from './nested-lock.js';
import type { Execution, FinalValue, Outcome, SolveOptions, State, Trouble } from './outcome.js';
import { placeText } from './proposition.js';
import { Search, type Visitor } from './search.js';
import { type Instance, noteValues } from './search-checkers.js';
import { type Final, FinalState, finalValues, toFinalValue } from './search-final.js';
import type { Graph } from './search-graph.js';
import { decidingPlaces, holds, observedPlaces } from './state.js';

const MODELS: Readonly<Record<'lkmm' | 'tso' | 'sc', MemoryModel>> = { lkmm, tso, sc };

/** How often {@link SolveOptions.onProgress} and the signal are looked at: each so many steps. */
const STEPS = 1024;

/**
 * Runs a litmus test: finds all its consistent executions and what they end in. Throws a LitmusError where the test has no meaning (an unknown
 * primitive), with the place.
 */
export function solve(litmus: Litmus, options: SolveOptions = {}): Outcome {
  try {
    return search(litmus, options);
  } catch (error) {
    // What a test is made of is nested in the stack while it is worked out: thousands of statements do not fit.
    if (!(error instanceof RangeError)) throw error;
    throw new LitmusError(
      litmus.source,
      litmus.threads[0].at,
      'the test is too long: fewer statements, or unroll less',
    );
  }
}

function search(litmus: Litmus, options: SolveOptions): Outcome {
  const started = performance.now();
  const { model = 'lkmm', unroll = 4 } = options;
  const program = elaborate(litmus, unroll);
  const tally = new Tally(program, options);
  new Search(program, MODELS[model], tally).run();
  const stuck = tally.count > 0 ? null : (nestedLock(program.threads) ?? tally.stuckAt);
  const troubles = stuck === null || anyCompletes(program, MODELS[model]) ? [] : [deadlock(program, stuck)];
  return tally.outcome(model, troubles, (performance.now() - started) / 1000);
}

/** Whether there is any execution at all, whatever the filter says. */
function anyCompletes(program: Program, model: MemoryModel): boolean {
  const found = new Error('found');
  const ignore = (): void => {};
  const complete = (): void => {
    throw found;
  };
  try {
    const filter = program.threads.map(() => []);
    new Search({ ...program, filter }, model, { complete, cut: complete, stuck: ignore, step: ignore }).run();
  } catch (error) {
    if (error === found) return true;
    throw error;
  }
  return false;
}

function deadlock({ addresses }: Program, { thread, address, at }: Planned): Trouble {
  const variable = address?.kind === 'value' ? addresses.nameOf(address.value) : '?';
  return { kind: 'deadlock', thread, variable, at };
}

/** Counts executions, and collects what they end in. */
class Tally implements Visitor {
  readonly program: Program;
  readonly #options: SolveOptions;
  readonly #places: readonly Place[];
  readonly #deciding: readonly Place[];
  /** What the deciding places hold in the execution at hand, and numbers of those values. */
  readonly #final: FinalValue[] = [];
  readonly #keys: number[] = [];
  readonly #known: Map<Value | string, { readonly value: FinalValue; readonly number: number }> = new Map();
  readonly #indices: Map<Place, number> = new Map();
  readonly #states: Map<string, State> = new Map();
  readonly #flags: Set<string> = new Set();
  readonly #cuts: Map<Position, Trouble> = new Map();
  /** Instances whose flags do not depend on who reads from whom and have been noted. */
  readonly #mayFlag: boolean;
  readonly #flagged: WeakSet<Instance> = new WeakSet();
  /** Where a lock could not be taken, on one of the ways. */
  stuckAt: Planned | null = null;
  #positive = 0;
  #negative = 0;
  #steps = 0;
  #execution: Execution | null = null;

  constructor(program: Program, options: SolveOptions) {
    this.program = program;
    this.#options = options;
    this.#places = observedPlaces(program.litmus);
    // The observed ones first.
    const observed = new Set(this.#places.map(placeText));
    const others = decidingPlaces(program.litmus).filter((place) => !observed.has(placeText(place)));
    this.#deciding = [...this.#places, ...others];
    this.#mayFlag = program.threads.some(hasFlaggable);
  }

  get count(): number {
    return this.#positive + this.#negative;
  }

  step(): void {
    if (++this.#steps % STEPS !== 0) return;
    this.#options.onProgress?.(this.count);
    this.#options.signal?.throwIfAborted();
  }

  cut(thread: number, { bound, at }: Extract<End, { kind: 'cut' }>): void {
    if (!this.#cuts.has(at)) this.#cuts.set(at, { kind: 'bounded', thread, bound, at });
  }

  stuck(lock: Planned): void {
    this.stuckAt ??= lock;
  }

  complete(graph: Graph, instance: Instance): void {
    const unknown = finalValues(graph);
    if (unknown === null) return;
    if (!this.#readAll(new FinalState(graph, unknown))) return;
    const { filter, condition } = this.program.litmus;
    if (filter !== null && !holds(filter, this.#read)) return;
    const satisfies = holds(condition, this.#read);
    if (satisfies) this.#positive++;
    else this.#negative++;
    const key = this.#keys.slice(0, this.#places.length).join();
    if (!this.#states.has(key)) this.#states.set(key, this.#places.map(this.#read));
    this.#flag(graph, instance);
    if (this.#options.execution === true && (this.#execution === null || (satisfies && !this.#execution.satisfies)))
      this.#execution = draw(graph, instance, satisfies);
  }

  /** Finds out what the places hold. False where the value of one makes the execution impossible. */
  #readAll(final: FinalState): boolean {
    for (const [index, place] of this.#deciding.entries()) {
      const value = final.read(place);
      if (value === null) return false;
      const key = typeof value === 'object' && 'symbol' in value ? `S${value.symbol}` : value;
      const printed = this.#known.get(key) ?? this.#note(key, value);
      this.#final[index] = printed.value;
      this.#keys[index] = printed.number;
    }
    return true;
  }

  #note(key: Value | string, value: Final): { readonly value: FinalValue; readonly number: number } {
    const noted = { value: toFinalValue(this.program, value), number: this.#known.size };
    this.#known.set(key, noted);
    return noted;
  }

  readonly #read = (place: Place): FinalValue => this.#final[this.#indexOf(place)];

  #indexOf(place: Place): number {
    let index = this.#indices.get(place);
    if (index === undefined) {
      index = this.#deciding.findIndex(({ thread, name }) => thread === place.thread && name === place.name);
      this.#indices.set(place, index);
    }
    return index;
  }

  #flag(graph: Graph, instance: Instance): void {
    if (!this.#mayFlag || this.#flagged.has(instance)) return;
    const { checker, skeleton, co } = instance;
    noteValues(graph, skeleton);
    for (const flag of checker.flags({ rf: graph.rf, co })) this.#flags.add(flag);
    if (!graph.planned.some(flagsAnew)) this.#flagged.add(instance);
  }

  outcome(model: Outcome['model'], more: readonly Trouble[], seconds: number): Outcome {
    return {
      model,
      places: this.#places,
      states: [...this.#states.values()],
      positive: this.#positive,
      negative: this.#negative,
      flags: [...this.#flags],
      troubles: [...this.#cuts.values(), ...more],
      execution: this.#execution,
      seconds,
    };
  }
}

/** Whether there is anything that linux-kernel.bell or lock.cat might flag: plain accesses, locks, RCU. */
function hasFlaggable({ events, end }: Segment): boolean {
  return (
    events.some(({ type, tag }) => tag === 'plain' || tag.includes('rcu') || !['R', 'W', 'F'].includes(type)) ||
    (end.kind === 'branch' && end.arms.some(hasFlaggable))
  );
}

/** Whether flags depend on who reads from whom: races of plain accesses do, and SRCU sections whose cookie is not handed over in a register. */
function flagsAnew(planned: Planned | null): boolean {
  if (planned === null) return false;
  const { tag, value } = planned;
  return tag === 'plain' || (tag === 'srcu-unlock' && !(value?.kind === 'load' && value.load.tag === 'srcu-lock'));
}

function draw(graph: Graph, { checker, skeleton, co }: Instance, satisfies: boolean): Execution {
  const { events, places, planned, program } = graph;
  const rf = graph.rf.slice(0, events.length);
  return {
    skeleton: { ...skeleton, events: events.map((event) => ({ ...event })) },
    witness: { rf, co: new Relation(events.length).copy(co) },
    locations: new Map(places.map((place, location) => [location, program.addresses.nameOf(place)])),
    values: graph.values.map((value) => (value === undefined ? null : program.addresses.nameOf(value))),
    lines: planned.map((event) => event?.at.line ?? 0),
    satisfies,
    flags: checker.flags({ rf: graph.rf, co }),
  };
}
