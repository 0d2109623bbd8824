// SPDX-License-Identifier: MIT
import type { Code, Instruction, LoopingProgram, Value } from './looping-program.js';
import { OBJECT, VARIABLES } from './looping-program.js';

/*
 * The states that a program can come to under sequential consistency, each visited once, so loops need no bound. It knows nothing of events, graphs or
 * waits: a thread waits for ever when the state space says so.
 */

interface ThreadState {
  readonly code: number;
  pc: number;
  registers: Record<string, number>;
  allocated: number;
  depth: number;
  /** The grace period that it waits for: the readers that it has to see leave. Null when it waits for none. */
  grace: number[] | null;
}

interface State {
  readonly memory: Record<string, number>;
  readonly threads: ThreadState[];
  readonly freed: number[];
}

export interface Reached {
  readonly outcomes: Set<string>;
  /** Kinds of violations. */
  readonly errors: Set<string>;
  /** There is a state that it never leaves: nothing changes any more, and some thread has not ended. */
  readonly stuck: boolean;
  readonly states: number;
}

class Violation extends Error {}
const BLOCKED = Symbol('blocked');

export function statesOf(program: LoopingProgram): Reached {
  const codes: Code[] = [...program.threads, ...program.callbacks];
  const first: State = {
    memory: {},
    threads: program.threads.map((_, code) => newThread(code)),
    freed: [],
  };
  const outcomes = new Set<string>();
  const errors = new Set<string>();
  const successors = new Map<string, string[]>();
  const shared = new Map<string, string>();
  const ended = new Set<string>();
  const todo: State[] = [];
  const visit = (state: State): string => {
    const key = JSON.stringify(state);
    if (!successors.has(key)) {
      successors.set(key, []);
      shared.set(key, JSON.stringify([state.memory, state.freed, state.threads.length]));
      todo.push(state);
    }
    return key;
  };
  for (const t of first.threads) runLocally(t, codes[t.code]);
  visit(first);
  for (let state = todo.pop(); state !== undefined; state = todo.pop()) {
    const key = JSON.stringify(state);
    if (state.threads.every((t) => t.pc >= codes[t.code].length)) {
      outcomes.add(outcomeOf(state, program));
      ended.add(key);
      continue;
    }
    for (const [i, thread] of state.threads.entries()) {
      if (thread.pc >= codes[thread.code].length) continue;
      const instruction = codes[thread.code][thread.pc];
      const choices = instruction.do === 'choose' ? instruction.of : 1;
      for (let choice = 0; choice < choices; choice++) {
        const next = structuredClone(state);
        try {
          if (step(next, i, instruction, choice, program.threads.length) === BLOCKED) continue;
          runLocally(next.threads[i], codes[thread.code]);
        } catch (error) {
          if (!(error instanceof Violation)) throw error;
          errors.add(error.message);
          ended.add(key);
          continue;
        }
        (successors.get(key) as string[]).push(visit(next));
      }
    }
  }
  return { outcomes, errors, stuck: someStuck(successors, shared, ended), states: successors.size };
}

const newThread = (code: number): ThreadState => ({ code, pc: 0, registers: {}, allocated: 0, depth: 0, grace: null });

function outcomeOf({ memory, threads }: State, program: LoopingProgram): string {
  const results = threads.slice(0, program.threads.length).map(({ registers }) => registers);
  return program.outcome(results, (name) => memory[name] ?? 0);
}

/** A state that nothing else follows than states with the same shared memory, none of them an end. */
function someStuck(
  successors: ReadonlyMap<string, readonly string[]>,
  shared: ReadonlyMap<string, string>,
  ended: ReadonlySet<string>,
): boolean {
  const before = new Map<string, string[]>();
  for (const [from, next] of successors)
    for (const to of next) {
      if (!before.has(to)) before.set(to, []);
      (before.get(to) as string[]).push(from);
    }
  // States from which an end, or a change of memory, can be reached.
  const alive = new Set<string>(ended);
  for (const [from, next] of successors) if (next.some((to) => shared.get(to) !== shared.get(from))) alive.add(from);
  const todo = [...alive];
  for (let key = todo.pop(); key !== undefined; key = todo.pop())
    for (const from of before.get(key) ?? [])
      if (!alive.has(from)) {
        alive.add(from);
        todo.push(from);
      }
  return [...successors.keys()].some((key) => !alive.has(key));
}

const operandOf = ({ registers }: ThreadState, value: Value): number =>
  typeof value === 'number' ? value : (registers[value] ?? 0);

/** Jumps and registers are nobody else's business. */
function runLocally(thread: ThreadState, code: Code): void {
  for (; thread.pc < code.length; thread.pc++) {
    const instruction = code[thread.pc];
    switch (instruction.do) {
      case 'set':
        thread.registers[instruction.to] = operandOf(thread, instruction.value) + instruction.plus;
        break;
      case 'jump':
        if (instruction.if === (operandOf(thread, instruction.left) === operandOf(thread, instruction.right)))
          thread.pc = instruction.target - 1;
        break;
      case 'relax':
      case 'fence':
        break;
      case 'bug':
        throw new Violation('BUG');
      default:
        return;
    }
  }
}

function wordOf(state: State, thread: ThreadState, instruction: { readonly at: string }): string {
  if (VARIABLES.includes(instruction.at)) return instruction.at;
  const object = operandOf(thread, instruction.at);
  if (state.freed.includes(object)) throw new Violation('use-after-free');
  return `${OBJECT}${object}`;
}

function step(
  state: State,
  i: number,
  instruction: Instruction,
  choice: number,
  own: number,
): typeof BLOCKED | undefined {
  const { memory, threads } = state;
  const thread = threads[i];
  const { registers } = thread;
  const at = (name: string): number => memory[name] ?? 0;
  if (thread.grace !== null && instruction.do !== 'rcu-sync') {
    // A callback: it begins when the grace period is over.
    if (thread.grace.length > 0) return BLOCKED;
    thread.grace = null;
  }
  switch (instruction.do) {
    case 'read':
      registers[instruction.to] = at(wordOf(state, thread, instruction));
      break;
    case 'write':
      memory[wordOf(state, thread, instruction)] = operandOf(thread, instruction.value);
      break;
    case 'add': {
      const word = wordOf(state, thread, instruction);
      memory[word] = at(word) + instruction.by;
      registers[instruction.to] = memory[word];
      break;
    }
    case 'cmpxchg': {
      const word = wordOf(state, thread, instruction);
      const old = at(word);
      if (old === operandOf(thread, instruction.expected)) memory[word] = operandOf(thread, instruction.value);
      registers[instruction.to] = old;
      break;
    }
    case 'lock':
    case 'write-lock':
      if (at(instruction.lock) !== 0) return BLOCKED;
      memory[instruction.lock] = 1;
      break;
    case 'trylock':
      registers[instruction.to] = Number(at(instruction.lock) === 0);
      if (at(instruction.lock) === 0) memory[instruction.lock] = 1;
      break;
    case 'unlock':
    case 'write-unlock':
      memory[instruction.lock] = 0;
      break;
    case 'read-lock':
      if (at(instruction.lock) > 0) return BLOCKED;
      memory[instruction.lock] = at(instruction.lock) - 1;
      break;
    case 'read-unlock':
      memory[instruction.lock] = at(instruction.lock) + 1;
      break;
    case 'choose':
      registers[instruction.to] = choice;
      break;
    case 'rcu-lock':
      thread.depth++;
      break;
    case 'rcu-unlock':
      if (--thread.depth === 0)
        for (const other of threads) if (other.grace !== null) other.grace = other.grace.filter((r) => r !== i);
      break;
    case 'rcu-sync': {
      if (thread.grace === null) {
        thread.grace = readers(threads);
        return undefined;
      }
      if (thread.grace.length > 0) return BLOCKED;
      thread.grace = null;
      break;
    }
    case 'call-rcu':
      threads.push({
        ...newThread(own + instruction.callback),
        registers: { object: operandOf(thread, instruction.value) },
        grace: readers(threads),
      });
      break;
    case 'alloc':
      registers[instruction.to] = 1000 * (i + 1) + thread.allocated++;
      break;
    case 'free': {
      const object = operandOf(thread, instruction.value);
      if (state.freed.includes(object)) throw new Violation('double-free');
      state.freed.push(object);
      state.freed.sort();
      break;
    }
    case 'prepare':
      memory[`state${i}`] = 1;
      break;
    case 'finish':
      memory[`state${i}`] = 0;
      break;
    case 'schedule':
      if (at(`state${i}`) !== 0) return BLOCKED;
      break;
    case 'wake':
      memory[`state${instruction.thread}`] = 0;
      break;
  }
  thread.pc++;
  return undefined;
}

const readers = (threads: readonly ThreadState[]): number[] =>
  threads.flatMap(({ depth }, r) => (depth > 0 ? [r] : []));
