// SPDX-License-Identifier: MIT
import { describe, expect, it } from 'vitest';
import * as C from '../src/codes.js';
import type { CommitListener, Memory } from '../src/memory/memory.js';
import { TsoMemory } from '../src/memory/tso-memory.js';
import { WeakMemory } from '../src/memory/weak-memory.js';
import { Random } from '../src/random.js';

/*
 * Random programs on the memory modes, each execution held to the axioms of LKMM (linux-kernel.cat, without RCU, locks and dependencies):
 * coherence, atomicity, happens-before, propagates-before. What a load read is known because all values are different.
 */

type Kind =
  | 'R'
  | 'W'
  | 'acquire'
  | 'release'
  | 'rmb'
  | 'wmb'
  | 'mb'
  | 'xchg'
  | 'xchg-relaxed'
  | 'xchg-acquire'
  | 'xchg-release';
const ACCESSES: Kind[] = [
  ...(['R', 'R', 'R', 'R', 'W', 'W', 'W', 'W', 'acquire', 'release'] as const),
  ...(['xchg', 'xchg-relaxed', 'xchg-acquire', 'xchg-release'] as const),
];
const FENCES: (Kind | null)[] = [null, 'rmb', 'rmb', 'wmb', 'wmb', 'mb'];
interface Instruction {
  kind: Kind;
  word: number;
  value: number;
}
/** An access of an execution, or a fence. */
interface Event {
  cpu: number;
  type: 'R' | 'W' | 'F';
  order: 'acquire' | 'release' | 'rmb' | 'wmb' | 'mb' | null;
  word: number;
  value: number;
  /** The read of the same read-modify-write. */
  pair: Event | null;
}

class Relation {
  readonly n: number;
  readonly bits: Uint8Array;
  constructor(n: number, holds: (i: number, j: number) => boolean = () => false) {
    this.n = n;
    this.bits = new Uint8Array(n * n);
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) if (holds(i, j)) this.bits[i * n + j] = 1;
  }
  has(i: number, j: number): boolean {
    return this.bits[i * this.n + j] === 1;
  }
  or(...others: Relation[]): Relation {
    return new Relation(this.n, (i, j) => this.has(i, j) || others.some((r) => r.has(i, j)));
  }
  and(holds: (i: number, j: number) => boolean): Relation {
    return new Relation(this.n, (i, j) => this.has(i, j) && holds(i, j));
  }
  compose(next: Relation): Relation {
    return new Relation(this.n, (i, j) => {
      for (let k = 0; k < this.n; k++) if (this.has(i, k) && next.has(k, j)) return true;
      return false;
    });
  }
  optional(): Relation {
    return new Relation(this.n, (i, j) => i === j || this.has(i, j));
  }
  star(): Relation {
    const closed = this.optional();
    for (let k = 0; k < this.n; k++)
      for (let i = 0; i < this.n; i++)
        if (closed.has(i, k)) for (let j = 0; j < this.n; j++) if (closed.has(k, j)) closed.bits[i * this.n + j] = 1;
    return closed;
  }
  acyclic(): boolean {
    const reach = this.compose(this.star());
    for (let i = 0; i < this.n; i++) if (reach.has(i, i)) return false;
    return true;
  }
}

/** The axiom that an execution breaks, or null. `events` per CPU in program order; `commits` in the order in which they happened. */
function brokenAxiom(events: Event[], commits: { word: number; value: number }[]): string | null {
  const n = events.length;
  const isR = (i: number) => events[i].type === 'R';
  const isW = (i: number) => events[i].type === 'W';
  const isM = (i: number) => events[i].type !== 'F';
  const int = (i: number, j: number) => events[i].cpu === events[j].cpu;
  const ext = (i: number, j: number) => !int(i, j);
  const po = (i: number, j: number) => i < j && int(i, j);
  const sameWord = (i: number, j: number) => isM(i) && isM(j) && events[i].word === events[j].word;
  // Position in coherence order; the initial 0 is before all.
  const rank = (word: number, value: number) => commits.findIndex((c) => c.word === word && c.value === value);
  const ranks = events.map((e) => (e.type === 'F' ? 0 : e.value === 0 ? -1 : rank(e.word, e.value)));
  const rf = new Relation(n, (i, j) => isW(i) && isR(j) && sameWord(i, j) && events[i].value === events[j].value);
  const co = new Relation(n, (i, j) => isW(i) && isW(j) && sameWord(i, j) && ranks[i] < ranks[j]);
  const fr = new Relation(
    n,
    (i, j) => isR(i) && isW(j) && sameWord(i, j) && ranks[i] < ranks[j] && events[j].pair !== events[i],
  );
  const rmw = new Relation(n, (i, j) => events[j].pair === events[i]);
  const rfe = rf.and(ext);
  const overwrite = co.or(fr, rmw);

  if (!new Relation(n, (i, j) => po(i, j) && sameWord(i, j)).or(rf, overwrite).acyclic()) return 'coherence';
  const between = fr.and(ext).compose(co.and(ext));
  if (rmw.and((i, j) => between.has(i, j)).bits.some((bit) => bit === 1)) return 'atomicity';

  const fenced = (order: string, from: (i: number) => boolean, to: (i: number) => boolean) =>
    new Relation(n, (i, j) => {
      if (!po(i, j) || !from(i) || !to(j)) return false;
      for (let k = i + 1; k < j; k++) if (events[k].type === 'F' && events[k].order === order) return true;
      return false;
    });
  const mb = fenced('mb', isM, isM);
  const wmb = fenced('wmb', isW, isW);
  const rmb = fenced('rmb', isR, isR);
  const poRel = new Relation(n, (i, j) => po(i, j) && isM(i) && isW(j) && events[j].order === 'release');
  const acqPo = new Relation(n, (i, j) => po(i, j) && isM(j) && isR(i) && events[i].order === 'acquire');
  const ppo = overwrite.and(int).or(mb, wmb, rmb, poRel, acqPo);
  const cumulFence = rfe.optional().compose(mb.or(poRel)).or(wmb);
  const prop = overwrite
    .and(ext)
    .optional()
    .compose(cumulFence.star())
    .compose(rfe.optional())
    .and((i, j) => isM(i) && isM(j));
  const hb = ppo.or(
    rfe,
    prop.and((i, j) => i !== j && int(i, j)),
  );
  if (!hb.acyclic()) return 'happens-before';
  if (!prop.compose(mb).compose(hb.star()).acyclic()) return 'propagation';
  return null;
}

const WORDS = [100, 200, 300];

/** Two to three accesses of different words, as a rule with a fence between: the stuff of litmus tests. */
function program(words: readonly number[], random: Random, values: { next: number }): Instruction[] {
  const instructions: Instruction[] = [];
  let word = random.below(words.length);
  for (let accesses = 2 + random.below(2); accesses > 0; accesses--) {
    const access = ACCESSES[random.below(ACCESSES.length)];
    instructions.push({ kind: access, word: words[word], value: values.next++ });
    const fence = FENCES[random.below(FENCES.length)];
    if (fence !== null) instructions.push({ kind: fence, word: 0, value: 0 });
    if (random.below(5) > 0) word = (word + 1) % words.length;
  }
  return instructions;
}

/** Executes a random program; the events by CPU and the commits. */
function execute(
  memory: Memory,
  random: Random,
  values: { next: number },
  log: { word: number; value: number }[],
): Event[] {
  const cpus = 2 + random.below(2);
  const words = WORDS.slice(0, 2 + random.below(2));
  const programs = Array.from({ length: cpus }, () => program(words, random, values));
  for (let cpu = 0; cpu < 3; cpu++) {
    memory.enter(cpu);
    if (cpu === 0) for (const word of WORDS) memory.store(word, 0, C.ORDER_NONE);
    memory.full();
  }
  for (let cpu = 0; cpu < 3; cpu++) {
    memory.enter(cpu);
    memory.full();
  }
  log.length = 0;
  const events: Event[][] = programs.map(() => []);
  const at = programs.map(() => 0);
  while (at.some((position, cpu) => position < programs[cpu].length)) {
    const cpu = random.below(cpus);
    memory.drift(cpu);
    memory.enter(cpu);
    for (let run = random.below(3); run >= 0 && at[cpu] < programs[cpu].length; run--)
      perform(memory, cpu, programs[cpu][at[cpu]++], events[cpu]);
  }
  for (let cpu = 0; cpu < cpus; cpu++) memory.drain(cpu);
  return events.flat();
}

function perform(memory: Memory, cpu: number, { kind, word, value }: Instruction, into: Event[]): void {
  const event = (type: Event['type'], order: Event['order'], read: number, pair: Event | null = null): Event => {
    const made = { cpu, type, order, word, value: read, pair };
    into.push(made);
    return made;
  };
  switch (kind) {
    case 'R':
    case 'acquire':
      event('R', kind === 'R' ? null : kind, memory.load(word, kind === 'R' ? C.ORDER_NONE : C.ORDER_ACQUIRE));
      return;
    case 'W':
    case 'release':
      memory.store(word, value, kind === 'W' ? C.ORDER_NONE : C.ORDER_RELEASE);
      event('W', kind === 'W' ? null : kind, value);
      return;
    case 'rmb':
    case 'wmb':
    case 'mb':
      memory.fence({ rmb: C.ORDER_RMB, wmb: C.ORDER_WMB, mb: C.ORDER_FULL }[kind]);
      event('F', kind, 0);
      return;
    default: {
      const full = kind === 'xchg';
      const order = kind === 'xchg-acquire' ? 'acquire' : kind === 'xchg-release' ? 'release' : null;
      const old = memory.latest(word);
      memory.modify(
        word,
        value,
        full
          ? C.ORDER_FULL
          : { acquire: C.ORDER_ACQUIRE, release: C.ORDER_RELEASE, none: C.ORDER_NONE }[order ?? 'none'],
      );
      if (full) event('F', 'mb', 0);
      const read = event('R', order === 'acquire' ? order : null, old);
      event('W', order === 'release' ? order : null, value, read);
      if (full) event('F', 'mb', 0);
    }
  }
}

type MemoryClass = (words: Int32Array, listener: CommitListener, random: Random) => Memory;

/** Broken axioms over so many random executions, by name; stops at one that is waited for. */
function campaign(make: MemoryClass, executions: number, seed: number, awaited?: string): Record<string, number> {
  const words = new Int32Array(1024);
  const log: { word: number; value: number }[] = [];
  const listener = { watched: 1, changed: (word: number) => void log.push({ word, value: words[word] }) };
  const memory = make(words, listener, new Random(seed, 1));
  const random = new Random(seed, 0);
  const values = { next: 1 };
  const broken: Record<string, number> = {};
  for (let i = 0; i < executions; i++) {
    const axiom = brokenAxiom(execute(memory, random, values, log), log);
    if (axiom !== null) broken[axiom] = (broken[axiom] ?? 0) + 1;
    if (axiom === awaited) break;
  }
  return broken;
}

const weak: MemoryClass = (words, listener, random) => new WeakMemory(words, listener, random, 3, () => 0);

/** Weak memory with one of its rules left out. */
const without =
  (rule: { fence?: true; latest?: true }): MemoryClass =>
  (words, listener, random) => {
    const memory = new WeakMemory(words, listener, random, 3, () => 0);
    const original = { fence: memory.fence.bind(memory), latest: memory.latest.bind(memory) };
    if (rule.fence) memory.fence = (order) => (order === C.ORDER_FULL ? original.fence(order) : undefined);
    if (rule.latest) memory.latest = (address) => words[address];
    return memory;
  };

describe('executions obey the axioms of LKMM', () => {
  it('weak memory', () => {
    expect(campaign(weak, 2500, 1)).toEqual({});
  });

  it('TSO', () => {
    expect(campaign((words, listener, random) => new TsoMemory(words, listener, random, 3), 700, 1)).toEqual({});
  });

  it('and the check would notice: smp_rmb and smp_wmb left out', () => {
    expect(Object.keys(campaign(without({ fence: true }), 20_000, 1, 'happens-before'))).toContain('happens-before');
  });

  it('and the check would notice: read-modify-writes that pass older stores of their CPU', () => {
    expect(Object.keys(campaign(without({ latest: true }), 20_000, 1, 'coherence'))).toContain('coherence');
  });
});
