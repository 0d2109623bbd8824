// SPDX-License-Identifier: MIT
import type { MemberExpression, Node } from 'oxc-parser';
import type { Translator } from './translator.js';
import { constant, dropped, isThing, known, type Type, type Value, type Word } from './word.js';

/** One of several things, by a number that is known when the program runs: an array's element. */
export class Choice {
  readonly things: readonly unknown[];
  readonly index: Word;
  constructor(things: readonly unknown[], index: Word) {
    this.things = things;
    this.index = index;
  }
}

/** A method of the machine's engine, or the engine: another one when the program runs, so a call of JavaScript. */
export class Method {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** `object[index]` of an array that the program was loaded with. Beyond its end: a trap. */
export function element(t: Translator, object: Value, index: Word, node: MemberExpression): Value {
  if (!isThing(object) || !Array.isArray(object.thing))
    throw t.refuse(node, `${t.setting.program.textOf(node.object)} is neither the memory nor an array of constants`);
  const { thing: array } = object as { readonly thing: readonly unknown[] };
  if (typeof index.known === 'number') return known(array[index.known]);
  if (!array.every((each) => typeof each === 'number')) return { thing: new Choice(array, index) };
  return choose(
    t,
    index,
    array.map((each) => number(t, node, each)),
    node,
  );
}

function number(t: Translator, node: Node, value: number): Word {
  const word = constant(value);
  if (word === null) throw t.refuse(node, `${value} in this table is no 32-bit word`);
  return word;
}

/** The word that an index says of some. */
export function choose(t: Translator, index: Word, words: readonly Word[], node: Node): Word {
  const local = t.names.local('which');
  t.learn(local, index.type, node);
  const type = words.reduce<Type>((all, each) => t.meet(all, each.type, node), words[0].type);
  const result = type === 'none' ? '' : '(result i32)';
  const is = (at: number): string => `(i32.eq (local.get ${local.name}) (i32.const ${at}))`;
  const chain = words.reduceRight(
    (otherwise, word, at) =>
      `(if ${result} ${is(at)} (then ${type === 'none' ? dropped(word) : word.text}) (else ${otherwise}))`,
    '(unreachable)',
  );
  return { text: `(block ${result} (local.set ${local.name} ${index.text}) ${chain})`, type };
}

/** The property of `attached` that says what executes native code. */
const ENGINE = 'engine';

/** `object.property`, of an object that nobody changes. */
export function member(t: Translator, object: Value, node: MemberExpression): Value {
  const { property } = node;
  if (!isThing(object) || property.type !== 'Identifier')
    throw t.refuse(node, 'only objects that the program was loaded with have properties here');
  const { thing } = object;
  const { thread, program } = t.setting;
  if (thing instanceof Method) return { thing: new Method(`${thing.name}.${property.name}`) };
  if (thing === thread && property.name === ENGINE) return { thing: new Method(ENGINE) };
  if (thing === thread && !t.setting.constants.includes(property.name))
    throw t.refuse(node, `${property.name} belongs to a thread, and is not known here`);
  if (thing !== thread && program.changes(property.name))
    throw t.refuse(node, `a property ${property.name} is assigned to somewhere, so this may be no constant`);
  const of = (owner: unknown): unknown => (owner as Record<string, unknown> | null)?.[property.name];
  if (thing instanceof Choice) return { thing: new Choice(thing.things.map(of), thing.index) };
  return known(of(thing));
}
