// SPDX-License-Identifier: MIT
import type { CallExpression, Node, Statement } from 'oxc-parser';
import type { Program } from './program.js';
import { type Frame, type Local, Names } from './scope.js';
import { isThing, join, type Type, type Value, type Word } from './word.js';

/**
 * Fields of what a thread knows of itself: `constants` never change, `counters` and `flags` do, and are as they were when a call returns. `given`: a counter that who
 * calls gives with the call, as its last word; the others are 0 then.
 */
export interface ThreadFields {
  readonly given: string;
  readonly constants: readonly string[];
  readonly counters: readonly string[];
  readonly flags: readonly string[];
}

/** What is the same for all functions of a module. */
export interface Setting {
  readonly program: Program;
  /** `attached` of cpu's native build: memory and thread. */
  readonly thread: { readonly words: unknown; readonly thisCpu: unknown };
  readonly fields: ThreadFields;
  /** What of `thread` is known when this is translated. */
  readonly constants: readonly string[];
  /** Functions that stay in JavaScript, and the names that they are imported by. */
  readonly javascript: ReadonlyMap<unknown, string>;
  /** Whether each number that could need more than 32 bits is looked at, and each address. */
  readonly checked: boolean;
  /** Imported functions, by the text of their declaration. */
  readonly imports: Map<string, string>;
}

/** What expressions and statements need of each other. */
export interface Parts {
  call(t: Translator, node: CallExpression): Value;
  block(t: Translator, statements: readonly Statement[]): Done;
}

/** Instructions, and whether whoever begins them never comes to what is behind. */
export interface Done {
  readonly text: string;
  readonly ends: boolean;
}

/** One exported function on its way; each turn knows more of the types of its variables. */
export class Translator {
  readonly setting: Setting;
  readonly parts: Parts;
  readonly names: Names;
  /** The functions that are being written out, the exported one first. */
  readonly frames: Frame[] = [];
  /** Something was learnt in this turn. */
  learnt = false;

  constructor(setting: Setting, parts: Parts, types: Map<string, Local>) {
    this.setting = setting;
    this.parts = parts;
    this.names = new Names(types);
  }

  get frame(): Frame {
    return this.frames[this.frames.length - 1];
  }

  refuse(node: Node, message: string): Error {
    return this.setting.program.refuse(node, message);
  }

  /** The words of a value. */
  word(value: Value, node: Node): Word {
    if (!isThing(value)) return value;
    const { thing } = value;
    throw this.refuse(
      node,
      `${this.setting.program.textOf(node)} is ${describe(thing)}, and no 32-bit word: it is none of the subset`,
    );
  }

  /** A variable may have that value from here on. */
  learn(local: Local, type: Type, node: Node): void {
    const joined = join(local.type, type);
    if (joined === null)
      throw this.refuse(node, `this is ${local.type} in one place and ${type} in another: one word cannot be both`);
    if (joined !== local.type) this.learnt = true;
    local.type = joined;
  }

  /** The type of two values that meet. */
  meet(a: Type, b: Type, node: Node): Type {
    const joined = join(a, b);
    if (joined === null) throw this.refuse(node, `${a} and ${b} meet here: say by >>> 0 or | 0 which is meant`);
    return joined;
  }
}

function describe(thing: unknown): string {
  if (typeof thing === 'function') return `the function ${thing.name || 'without a name'}`;
  if (typeof thing === 'object' && thing !== null) return 'an object';
  return typeof thing === 'string' ? 'a text' : String(thing);
}
