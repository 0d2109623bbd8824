// SPDX-License-Identifier: MIT
import type { Event, Tag } from '@lockless/memory-model';
import type { Cell, Step } from './random-program.js';

/* The threads of a program, interpreted: once for whatever its loads may return. */

interface Done {
  readonly type: Event['type'];
  readonly tag: Tag;
  readonly at: string | null;
  readonly value: Cell;
  /** Indices of loads of the thread. */
  readonly addr: readonly number[];
  readonly data: readonly number[];
  readonly ctrl: readonly number[];
  /** Index of the load of the same read-modify-write. */
  readonly load: number;
  readonly failed: boolean;
}

export interface Run {
  readonly events: readonly Done[];
  readonly registers: ReadonlyMap<string, Cell>;
}

interface Register {
  readonly value: Cell;
  readonly loads: readonly number[];
}

class NeedsGuess extends Error {
  readonly location: string;
  constructor(location: string) {
    super();
    this.location = location;
  }
}

/** Stores store 0 to 2; each increment may add to that. */
export const LARGEST_STORED = 2;

export const incrementsOf = (steps: readonly Step[]): number =>
  steps.reduce((sum, step) => {
    if (step.do === 'if') return sum + incrementsOf(step.inside) + incrementsOf(step.otherwise);
    return sum + (step.do === 'try' ? incrementsOf(step.inside) : Number(step.do === 'increment'));
  }, 0);

/** All runs of a thread, whatever its loads return, up to `largest`. */
export function runsOf(steps: readonly Step[], largest: number): Run[] {
  const values = Array.from({ length: largest + 1 }, (_, value) => value);
  const found: Run[] = [];
  const extend = (guesses: readonly Cell[]): void => {
    try {
      found.push(new Machine(guesses).run(steps));
    } catch (error) {
      if (!(error instanceof NeedsGuess)) throw error;
      const domain: readonly Cell[] = error.location === 'p' ? ['x', 'y'] : error.location === 'l' ? [0, 1] : values;
      for (const guess of domain) extend([...guesses, guess]);
    }
  };
  extend([]);
  return found.filter(({ events }) => events.every(({ type, value }) => type !== 'LKR' || value === 0));
}

class Machine {
  readonly #guesses: readonly Cell[];
  #used = 0;
  readonly #events: Done[] = [];
  readonly #registers: Map<string, Register> = new Map();
  #control: readonly number[] = [];

  constructor(guesses: readonly Cell[]) {
    this.#guesses = guesses;
  }

  run(steps: readonly Step[]): Run {
    this.#all(steps);
    return { events: this.#events, registers: new Map([...this.#registers].map(([name, { value }]) => [name, value])) };
  }

  #all(steps: readonly Step[]): void {
    for (const step of steps) this.#step(step);
  }

  #event(type: Event['type'], tag: Tag, at: string | null, value: Cell, more: Partial<Done> = {}): number {
    const { addr = [], data = [], ctrl = [], load = -1, failed = false } = more;
    this.#events.push({ type, tag, at, value, addr, data, ctrl: [...this.#control, ...ctrl], load, failed });
    return this.#events.length - 1;
  }

  #guess(location: string): Cell {
    if (this.#used === this.#guesses.length) throw new NeedsGuess(location);
    return this.#guesses[this.#used++];
  }

  #load(tag: Tag, at: string, addr: readonly number[] = [], more: Partial<Done> = {}): Register {
    const value = this.#guess(at);
    return { value, loads: [this.#event('R', tag, at, value, { addr, ...more })] };
  }

  #step(step: Step): void {
    switch (step.do) {
      case 'load':
        this.#registers.set(step.to, this.#load(step.how, step.from));
        return;
      case 'store': {
        const { value, loads } =
          typeof step.value === 'number' ? { value: step.value, loads: [] } : this.#register(step.value);
        this.#event('W', step.how, step.to, value, { data: loads });
        return;
      }
      case 'fence':
        this.#event('F', step.tag, null, 0);
        return;
      case 'exchange': {
        const old = this.#load('acquire', step.on);
        this.#event('W', 'once', step.on, step.value, { ctrl: old.loads, load: old.loads[0] });
        this.#registers.set(step.to, old);
        return;
      }
      case 'compare':
        return this.#compare(step);
      case 'increment': {
        const old = this.#load('noreturn', step.on);
        this.#event('W', 'noreturn', step.on, Number(old.value) + 1, { data: old.loads, load: old.loads[0] });
        return;
      }
      case 'follow': {
        const pointer = this.#load('once', 'p');
        this.#registers.set('q', pointer);
        this.#registers.set(step.to, this.#load('once', String(pointer.value), pointer.loads));
        return;
      }
      case 'aim':
        this.#event('W', 'release', 'p', step.at);
        return;
      case 'fill': {
        const pointer = this.#load('once', 'p');
        this.#registers.set('q', pointer);
        this.#event('W', 'once', String(pointer.value), step.value, { addr: pointer.loads });
        return;
      }
      case 'lock':
        this.#take(step.lock, this.#event('LKR', 'acquire', step.lock, this.#guess('l')));
        return;
      case 'unlock':
        this.#event('UL', 'release', step.lock, 0);
        return;
      case 'try':
        return this.#try(step);
      case 'if': {
        const { value, loads } = this.#register(step.register);
        const outside = this.#control;
        this.#control = [...outside, ...loads];
        this.#all(value === step.is ? step.inside : step.otherwise);
        this.#control = outside;
      }
    }
  }

  #register(name: string): Register {
    return this.#registers.get(name) ?? { value: 0, loads: [] };
  }

  #compare(step: Extract<Step, { do: 'compare' }>): void {
    const value = this.#guess(step.on);
    const succeeds = value === step.expected;
    const load = this.#event('R', succeeds ? 'mb' : 'once', step.on, value, { failed: !succeeds });
    if (succeeds) this.#event('W', 'mb', step.on, step.value, { ctrl: [load], load });
    this.#registers.set(step.to, { value, loads: [load] });
  }

  #take(lock: string, load: number): void {
    this.#event('LKW', 'once', lock, 1, { ctrl: [load], load });
  }

  #try(step: Extract<Step, { do: 'try' }>): void {
    const free = this.#guess('l') === 0;
    const load = this.#event(free ? 'LKR' : 'LF', free ? 'acquire' : 'once', step.lock, free ? 0 : 1);
    if (free) this.#take(step.lock, load);
    this.#registers.set('t', { value: free ? 1 : 0, loads: [load] });
    if (!free) return;
    const outside = this.#control;
    this.#control = [...outside, load];
    this.#all(step.inside);
    this.#control = outside;
  }
}
