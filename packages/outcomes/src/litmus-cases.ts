// SPDX-License-Identifier: GPL-2.0-only
import { compileFunction } from 'node:vm';
import type { Cases, Key, Tally } from './cases.js';
import type { LitmusCode } from './litmus-code.js';
import type { Primitives } from './primitives.js';
import type { Random } from './random.js';

/** Where the blocks of a batch lie. */
interface Batch {
  readonly base: number[];
  readonly stride: number[];
  readonly count: number;
}

type ThreadFunction = (batch: Batch, meet: (instance: number) => void, out: Int32Array) => void;

/** Of a batch. */
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

/** Values from 0 to 31, and addresses of variables, which are in a key of base 64 from 32 on. */
const DIGIT = 64;
const DIGITS = 8;

/** Instances of a litmus test. */
export class LitmusCases implements Cases {
  readonly instances: number = INSTANCES;
  readonly threads: number;
  private readonly code: LitmusCode;
  private readonly words: Int32Array;
  private readonly region: number;
  private readonly functions: readonly ThreadFunction[];
  private readonly outs: readonly Int32Array[];
  /** Batches use one half of the region and the other in turn, so that one can be prepared while the one before is counted. */
  private half = 1;
  private batch: Batch = { base: [], stride: [], count: INSTANCES };

  /** `region`: address of litmusWords() words. */
  constructor(code: LitmusCode, words: Int32Array, region: number, out: SharedArrayBuffer, primitives: Primitives) {
    this.code = code;
    this.threads = code.threads.length;
    this.words = words;
    this.region = region;
    this.functions = code.threads.map((body, thread) => compiled(code, body, thread, primitives));
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
    this.half = 1 - this.half;
    let at = this.region + (this.half * litmusWords(this.code)) / 2;
    const base: number[] = [];
    const stride: number[] = [];
    for (const size of blocks) {
      base.push(at + random.below(OFFSETS));
      stride.push(apart ? lines(size) : size);
      at += INSTANCES * lines(size) + OFFSETS;
    }
    this.batch = { base, stride, count: INSTANCES };
  }

  prepare(from: number, to: number): void {
    const { initial } = this.code;
    for (let i = from; i < to; i++) {
      for (const [variable, value] of initial.entries())
        Atomics.store(
          this.words,
          this.address(variable, i),
          typeof value === 'number' ? value : this.address(value.variable, i),
        );
      for (const [thread, count] of this.code.registers.entries()) Atomics.store(this.outs[thread], i * (count + 1), 0);
    }
  }

  run(thread: number, meet: (instance: number) => void): void {
    this.functions[thread](this.batch, meet, this.outs[thread]);
  }

  count(from: number, to: number, tally: Tally): void {
    for (let i = from; i < to; i++) {
      const key = this.outcome(i);
      if (key === null) tally.givenUp++;
      else tally.add(key);
    }
  }

  /** Null when a thread gave up. */
  private outcome(i: number): Key | null {
    const { columns, registers } = this.code;
    for (const [thread, count] of registers.entries()) if (this.outs[thread][i * (count + 1)] !== 1) return null;
    let key = columns.length <= DIGITS ? 1 : -1;
    for (const column of columns) {
      const digit = this.digit(this.final(column, i), i);
      if (digit < 0 || key < 0) return columns.map((each) => this.text(this.final(each, i), i)).join(' ');
      key = key * DIGIT + digit;
    }
    return key;
  }

  private final(column: LitmusCode['columns'][number], i: number): number {
    if (column.kind === 'variable') return Atomics.load(this.words, this.address(column.variable, i));
    return this.outs[column.thread][i * (this.code.registers[column.thread] + 1) + 1 + column.column];
  }

  /** -1 for what does not fit. */
  private digit(value: number, i: number): number {
    if (value >= 0 && value < DIGIT / 2) return value;
    const variable = this.variableAt(value, i);
    return variable >= 0 && variable < DIGIT / 2 ? DIGIT / 2 + variable : -1;
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
    if (typeof key === 'string') return key;
    const values: string[] = [];
    for (let rest = key; rest > 1; rest = Math.floor(rest / DIGIT)) {
      const digit = rest % DIGIT;
      values.unshift(digit < DIGIT / 2 ? String(digit) : this.code.variables[digit - DIGIT / 2].name);
    }
    return values.join(' ');
  }
}

/** Each primitive is a constant of the scope, as it is in stripped code, so that the engine inlines it the same way. */
function compiled({ name, primitives: used }: LitmusCode, body: string, thread: number, primitives: Primitives) {
  const scope = used.map((primitive) => `const ${primitive} = primitives[${JSON.stringify(primitive)}];`).join(' ');
  const source = `${scope}\nreturn (batch, meet, out) => {\n${body}\n};`;
  const make = compileFunction(source, ['primitives'], { filename: `${name}/P${thread}` });
  return (make as (primitives: Primitives) => ThreadFunction)(primitives);
}
