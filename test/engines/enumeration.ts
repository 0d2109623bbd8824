// SPDX-License-Identifier: MIT
import type { Event, MemoryModel, Tag } from '@lockless/memory-model';
import { INITIAL, Relation } from '@lockless/memory-model';
import type { Instruction, RandomProgram } from './random-program.js';
import { meaningOf, WORDS } from './random-program.js';

/*
 * The definition, executed: every way in which the threads could run when a load may return anything, every choice of who reads from whom and of
 * coherence order, each held to the model's axioms. It shares nothing with the checker but the axioms.
 */

interface Trace {
  readonly events: readonly Omit<Event, 'thread'>[];
  readonly loaded: readonly number[];
}

/** All traces of a thread whose loads return values of the domain. */
function traces(thread: readonly Instruction[], domain: readonly number[]): Trace[] {
  const found: Trace[] = [];
  const extend = (position: number, events: Omit<Event, 'thread'>[], loaded: number[]): void => {
    if (position === thread.length) {
      found.push({ events, loaded });
      return;
    }
    const instruction = thread[position];
    const { kind, read, write } = meaningOf(instruction);
    const { word, value } = instruction;
    if (instruction.conditional && (loaded.at(-1) ?? 0) === 0) {
      extend(position + 1, events, loaded);
      return;
    }
    const event = (type: 'R' | 'W' | 'F', tag: Tag | undefined, v: number, partner = -1) => ({
      type,
      tag: tag as Tag,
      location: type === 'F' ? -1 : word,
      partner,
      value: v,
    });
    if (kind === 'fence') return extend(position + 1, [...events, event('F', read, 0)], loaded);
    if (kind === 'store') return extend(position + 1, [...events, event('W', write, value)], loaded);
    for (const old of domain) {
      const n = events.length;
      const returned = kind === 'add' ? loaded : [...loaded, old];
      if (kind === 'load') extend(position + 1, [...events, event('R', read, old)], returned);
      else if (kind === 'compare' && old !== 0) extend(position + 1, [...events, event('R', 'once', old)], returned);
      else {
        const stored = kind === 'add' ? old + value : value;
        extend(position + 1, [...events, event('R', read, old, n + 1), event('W', write, stored, n)], returned);
      }
    }
  };
  extend(0, [], []);
  return found;
}

/** Values that any store could store: what loads may return. */
function domainOf(program: RandomProgram): number[] {
  const domain = new Set([0]);
  // A value comes by way of other values at most once for each store that there is.
  const stores = program
    .flat()
    .filter((instruction) => !['load', 'fence'].includes(meaningOf(instruction).kind)).length;
  let known = 0;
  for (let round = 0; round < stores && known < domain.size; round++) {
    known = domain.size;
    for (const thread of program)
      for (const { events } of traces(thread, [...domain]))
        for (const e of events) if (e.type === 'W') domain.add(e.value);
  }
  return [...domain];
}

function* product<T>(choices: readonly (readonly T[])[]): Generator<T[]> {
  if (choices.length === 0) yield [];
  else for (const rest of product(choices.slice(1))) for (const first of choices[0]) yield [first, ...rest];
}

function* permutations(items: readonly number[]): Generator<number[]> {
  if (items.length === 0) yield [];
  for (const first of items) for (const rest of permutations(items.filter((i) => i !== first))) yield [first, ...rest];
}

export const outcomeOf = (loaded: readonly (readonly number[])[], final: readonly number[]): string =>
  JSON.stringify([loaded, final]);

/** Outcomes under a model, and how many executions there are. */
export function enumerate(program: RandomProgram, model: MemoryModel): { outcomes: Set<string>; executions: number } {
  const domain = domainOf(program);
  const outcomes = new Set<string>();
  let executions = 0;
  for (const chosen of product(program.map((thread) => traces(thread, domain)))) {
    const events: Event[] = WORDS.map((_, location) => ({
      thread: INITIAL,
      type: 'W',
      tag: 'once',
      location,
      partner: -1,
      value: 0,
    }));
    chosen.forEach((trace, thread) => {
      const base = events.length;
      for (const e of trace.events) events.push({ ...e, thread, partner: e.partner < 0 ? -1 : e.partner + base });
    });
    const stores = events.flatMap((e, i) => (e.type === 'W' ? [i] : []));
    const loads = events.flatMap((e, i) => (e.type === 'R' ? [i] : []));
    const sources = loads.map((r) =>
      stores.filter((w) => events[w].location === events[r].location && events[w].value === events[r].value),
    );
    if (sources.some((s) => s.length === 0)) continue;
    const checker = model.instantiate({
      events,
      addr: new Relation(events.length),
      data: new Relation(events.length),
      ctrl: controlDependencies(events),
    });
    const orders = WORDS.map((_, l) => [
      ...permutations(stores.filter((w) => w >= WORDS.length && events[w].location === l)),
    ]);
    for (const co of product(orders)) {
      const coherence = new Relation(events.length);
      co.forEach((order, l) => {
        const all = [l, ...order];
        all.forEach((w, i) => {
          for (const later of all.slice(i + 1)) coherence.add(w, later);
        });
      });
      for (const rf of product(sources)) {
        const from = new Int32Array(events.length).fill(-1);
        loads.forEach((r, i) => {
          from[r] = rf[i];
        });
        if (checker.broken({ rf: from, co: coherence }) !== null) continue;
        executions++;
        outcomes.add(
          outcomeOf(
            chosen.map(({ loaded }) => loaded),
            co.map((order, l) => events[order.at(-1) ?? l].value),
          ),
        );
      }
    }
  }
  return { outcomes, executions };
}

/** What the checker assumes of code without syntax: every store depends on every load before it. */
function controlDependencies(events: readonly Event[]): Relation {
  const ctrl = new Relation(events.length);
  events.forEach((load, r) => {
    if (load.type !== 'R') return;
    for (let w = r + 1; w < events.length && events[w].thread === load.thread; w++)
      if (events[w].type === 'W') ctrl.add(r, w);
  });
  return ctrl;
}
