// SPDX-License-Identifier: GPL-2.0-only
import { compileFunction } from 'node:vm';
import { type Cases, type Key, share, type Tally } from './cases.js';
import type { LitmusCode } from './litmus-code.js';
import type { Primitives } from './primitives.js';
import type { Random } from './random.js';
import { SmallOutcomes } from './small-outcomes.js';

/** Where the blocks of a batch lie. */
interface Batch {
  readonly base: number[];
  readonly stride: number[];
  /** Instances are taken in steps of so many, modulo their number: an odd number. */
  readonly step: number;
  readonly count: number;
  /** Who writes each block before: a thread, in whose cache it then is, or null for each thread its share. */
  readonly owner: (number | null)[];
}

type ThreadFunction = (batch: Batch, meet: (step: number) => void, out: Int32Array) => void;

/** Of a batch; a power of two. */
export const INSTANCES = 4096;
const LINE = 16;
/** Random offset of a block: so that instances of different variables share a line in one batch and not in another. */
const OFFSETS = 64;

/** Words that the instances of a test need at most. */
export const litmusWords = ({ blocks }: LitmusCode): number =>
  2 * blocks.reduce((sum, size) => sum + INSTANCES * lines(size) + OFFSETS, 0);

const lines = (size: number): number => Math.ceil(size / LINE) * LINE;

/** Words in which threads hand out registers. */
export const litmusOutWords = ({ registers }: LitmusCode): number =>
  registers.reduce((sum, count) => sum + INSTANCES * (count + 1), 0);

/** Where the final values of a column are: `from + i * step` of instance i. */
interface Values {
  readonly words: Int32Array;
  readonly from: number;
  readonly step: number;
}

/** Instances of a litmus test. */
export class LitmusCases implements Cases {
  readonly instances: number = INSTANCES;
  readonly threads: number;
  readonly delays: readonly number[] = [1, 1, 4, 16, 64, 256];
  private readonly code: LitmusCode;
  private readonly words: Int32Array;
  private readonly region: number;
  private readonly functions: readonly ThreadFunction[];
  private readonly outs: readonly Int32Array[];
  private readonly small: SmallOutcomes | null;
  /** Batches use one half of the region and the other in turn, so that one can be prepared while the one before is counted. */
  private half = 1;
  private batch: Batch = { base: [], stride: [], step: 1, count: INSTANCES, owner: [] };

  /** `region`: address of litmusWords() words. */
  constructor(code: LitmusCode, words: Int32Array, region: number, out: SharedArrayBuffer, primitives: Primitives) {
    this.code = code;
    this.threads = code.threads.length;
    this.words = words;
    this.region = region;
    this.functions = code.threads.map((body, thread) => compiled(code, body, thread, primitives));
    this.small = SmallOutcomes.of(code.columns.length);
    let at = 0;
    this.outs = code.registers.map((count) => {
      const words = new Int32Array(out, at, INSTANCES * (count + 1));
      at += words.byteLength;
      return words;
    });
  }

  draw(random: Random): void {
    const { blocks } = this.code;
    const apart = random.below(4) > 0;
    const owned = random.below(2) > 0;
    this.half = 1 - this.half;
    let at = this.region + (this.half * litmusWords(this.code)) / 2;
    const base: number[] = [];
    const stride: number[] = [];
    const owner: (number | null)[] = [];
    for (const size of blocks) {
      base.push(at + random.below(OFFSETS));
      stride.push(apart ? lines(size) : size);
      owner.push(owned ? random.below(this.threads) : null);
      at += INSTANCES * lines(size) + OFFSETS;
    }
    const step = random.pick(STEPS);
    this.batch = { base, stride, step, count: INSTANCES, owner };
  }

  prepare(thread: number): void {
    const { initial, variables, registers } = this.code;
    const [from, to] = share(INSTANCES, thread, this.threads);
    for (const [variable, value] of initial.entries()) {
      const { block, offset } = variables[variable];
      const owner = this.batch.owner[block];
      if (owner !== null && owner !== thread) continue;
      const [first, last] = owner === null ? [from, to] : [0, INSTANCES];
      const stride = this.batch.stride[block];
      let at = this.batch.base[block] + first * stride + offset;
      for (let i = first; i < last; i++, at += stride)
        this.words[at] = typeof value === 'number' ? value : this.address(value.variable, i);
    }
    for (const [each, count] of registers.entries())
      for (let i = from; i < to; i++) this.outs[each][i * (count + 1)] = 0;
  }

  run(thread: number, meet: (step: number) => void): void {
    this.functions[thread](this.batch, meet, this.outs[thread]);
  }

  count(thread: number, tally: Tally): void {
    const [from, to] = share(INSTANCES, thread, this.threads);
    const columns = this.code.columns.map((column) => this.values(column));
    const ends = this.code.registers.map(
      (count, each): Values => ({ words: this.outs[each], from: 0, step: count + 1 }),
    );
    for (let i = from; i < to; i++) {
      if (!ended(ends, i)) tally.givenUp++;
      else if (!this.small?.add(columns, i))
        tally.add(columns.map(({ words, from, step }) => this.text(words[from + i * step], i)).join(' '));
    }
    this.small?.take(tally);
  }

  private values(column: LitmusCode['columns'][number]): Values {
    if (column.kind === 'variable') {
      const { block } = this.code.variables[column.variable];
      return { words: this.words, from: this.address(column.variable, 0), step: this.batch.stride[block] };
    }
    const step = this.code.registers[column.thread] + 1;
    return { words: this.outs[column.thread], from: 1 + column.column, step };
  }

  private text(value: number, i: number): string {
    const variable = this.variableAt(value, i);
    return variable < 0 ? String(value) : this.code.variables[variable].name;
  }

  private variableAt(value: number, i: number): number {
    if (value < this.region) return -1;
    for (let variable = 0; variable < this.code.variables.length; variable++)
      if (this.address(variable, i) === value) return variable;
    return -1;
  }

  private address(variable: number, i: number): number {
    const { block, offset } = this.code.variables[variable];
    return this.batch.base[block] + i * this.batch.stride[block] + offset;
  }

  /** The value of each column, separated by spaces: a number, or the name of the variable whose address it is. */
  describe(key: Key): string {
    return typeof key === 'string' ? key : (this.small?.describe(key) ?? '');
  }
}

/** From one instance to the next: neighbours, or far enough apart that no prefetcher helps. */
const STEPS = [1, 1, 5, 37, 1021] as const;

function ended(ends: readonly Values[], i: number): boolean {
  for (let thread = 0; thread < ends.length; thread++)
    if (ends[thread].words[i * ends[thread].step] !== 1) return false;
  return true;
}

/** Each primitive is a constant of the scope, as it is in stripped code, so that the engine inlines it the same way. */
function compiled({ name, primitives: used }: LitmusCode, body: string, thread: number, primitives: Primitives) {
  const scope = used.map((primitive) => `const ${primitive} = primitives[${JSON.stringify(primitive)}];`).join(' ');
  const source = `${scope}\nreturn (batch, meet, out) => {\n${body}\n};`;
  const make = compileFunction(source, ['primitives'], { filename: `${name}/P${thread}` });
  return (make as (primitives: Primitives) => ThreadFunction)(primitives);
}
