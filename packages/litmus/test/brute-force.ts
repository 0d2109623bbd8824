// SPDX-License-Identifier: MIT
import { type Event, INITIAL, type MemoryModel, Relation, type Tag } from '@lockless/memory-model';

/*
 * Small programs, and all their executions found the slow way: guess what every load returns, run the threads with that, try every store that wrote the
 * guessed value and every order of the stores, and keep what the model does not forbid. Shares nothing with the package: programs
 * are written out as text for the one and interpreted here for the other.
 */

type Cell = number | string;

export type Step =
  | { readonly do: 'load'; readonly to: string; readonly from: string; readonly how: 'plain' | 'once' | 'acquire' }
  | {
      readonly do: 'store';
      readonly to: string;
      readonly value: number | string;
      readonly how: 'plain' | 'once' | 'release';
    }
  | { readonly do: 'fence'; readonly tag: 'mb' | 'wmb' | 'rmb' | 'rcu-lock' | 'rcu-unlock' | 'sync-rcu' }
  | { readonly do: 'exchange'; readonly to: string; readonly on: string; readonly value: number }
  | {
      readonly do: 'compare';
      readonly to: string;
      readonly on: string;
      readonly expected: number;
      readonly value: number;
    }
  | { readonly do: 'increment'; readonly on: string }
  /** The pointer p is loaded, and what it points to is loaded or stored. */
  | { readonly do: 'follow'; readonly to: string }
  | { readonly do: 'aim'; readonly at: 'x' | 'y' }
  | { readonly do: 'fill'; readonly value: number }
  | { readonly do: 'lock' | 'unlock'; readonly lock: string }
  | { readonly do: 'try'; readonly lock: string; readonly inside: readonly Step[] }
  | {
      readonly do: 'if';
      readonly register: string;
      readonly is: number;
      readonly inside: readonly Step[];
      readonly otherwise: readonly Step[];
    };

export type Program = readonly (readonly Step[])[];

const VARIABLES = ['x', 'y', 'p', 'l'] as const;

// --- as text

export function sourceOf(program: Program): string {
  const threads = program.map(
    (steps, thread) =>
      `P${thread}(int *x, int *y, int **p, spinlock_t *l)\n{\n${declarations(steps)}${steps.map(textOf).join('')}}\n`,
  );
  const registers = program.flatMap((steps, thread) => [...registersOf(steps)].map((name) => `${thread}:${name};`));
  return `C random\n{ int *p = &x; }\n${threads.join('\n')}\nlocations [x; y; p; ${registers.join(' ')}]\nexists (x=0)\n`;
}

const declarations = (steps: readonly Step[]): string =>
  [...registersOf(steps)].map((name) => `int ${name};\n`).join('');

function registersOf(steps: readonly Step[]): Set<string> {
  const names = new Set<string>();
  for (const step of steps) {
    if ('to' in step && step.do !== 'store') names.add(step.to);
    if (step.do === 'follow') names.add('q');
    if (step.do === 'fill') names.add('q');
    if (step.do === 'try') names.add('t');
    const inner = step.do === 'if' ? [...step.inside, ...step.otherwise] : step.do === 'try' ? step.inside : [];
    for (const name of registersOf(inner)) names.add(name);
  }
  return names;
}

const FENCES: Readonly<Record<string, string>> = {
  mb: 'smp_mb',
  wmb: 'smp_wmb',
  rmb: 'smp_rmb',
  'rcu-lock': 'rcu_read_lock',
  'rcu-unlock': 'rcu_read_unlock',
  'sync-rcu': 'synchronize_rcu',
};

function textOf(step: Step): string {
  switch (step.do) {
    case 'load':
      if (step.how === 'plain') return `${step.to} = *${step.from};\n`;
      return step.how === 'once'
        ? `${step.to} = READ_ONCE(*${step.from});\n`
        : `${step.to} = smp_load_acquire(${step.from});\n`;
    case 'store':
      if (step.how === 'plain') return `*${step.to} = ${step.value};\n`;
      return step.how === 'once'
        ? `WRITE_ONCE(*${step.to}, ${step.value});\n`
        : `smp_store_release(${step.to}, ${step.value});\n`;
    case 'fence':
      return `${FENCES[step.tag]}();\n`;
    case 'exchange':
      return `${step.to} = xchg_acquire(${step.on}, ${step.value});\n`;
    case 'compare':
      return `${step.to} = cmpxchg(${step.on}, ${step.expected}, ${step.value});\n`;
    case 'increment':
      return `atomic_inc(${step.on});\n`;
    case 'follow':
      return `q = rcu_dereference(*p);\n${step.to} = READ_ONCE(*q);\n`;
    case 'aim':
      return `rcu_assign_pointer(*p, ${step.at});\n`;
    case 'fill':
      return `q = READ_ONCE(*p);\nWRITE_ONCE(*q, ${step.value});\n`;
    case 'lock':
      return `spin_lock(${step.lock});\n`;
    case 'unlock':
      return `spin_unlock(${step.lock});\n`;
    case 'try':
      return `t = spin_trylock(${step.lock});\nif (t) {\n${step.inside.map(textOf).join('')}}\n`;
    case 'if':
      return `if (${step.register} == ${step.is}) {\n${step.inside.map(textOf).join('')}} else {\n${step.otherwise.map(textOf).join('')}}\n`;
  }
}

// --- run with guesses

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

interface Run {
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
const LARGEST_STORED = 2;

const incrementsOf = (steps: readonly Step[]): number =>
  steps.reduce((sum, step) => {
    if (step.do === 'if') return sum + incrementsOf(step.inside) + incrementsOf(step.otherwise);
    return sum + (step.do === 'try' ? incrementsOf(step.inside) : Number(step.do === 'increment'));
  }, 0);

/** All runs of a thread, whatever its loads return, up to `largest`. */
function runsOf(steps: readonly Step[], largest: number): Run[] {
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

// --- all executions

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
  const orders = names.map((_, location) =>
    permutations(
      events.flatMap((store, number) =>
        isStore(store) && store.location === location && store.thread !== INITIAL ? [number] : [],
      ),
    ),
  );
  budget.left -= [...sources, ...orders].reduce((product, { length }) => product * length, 1);
  if (budget.left < 0) return [];
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

function permutations(items: readonly number[]): number[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, index) =>
    permutations([...items.slice(0, index), ...items.slice(index + 1)]).map((rest) => [item, ...rest]),
  );
}
