// SPDX-License-Identifier: MIT
import type { BindingPattern, CallExpression, Expression, Node } from 'oxc-parser';
import { get, resultOf, set, value, word } from './expressions.js';
import { atomic } from './memory.js';
import type { FunctionSource } from './program.js';
import { Frame } from './scope.js';
import { assigns } from './syntax.js';
import { Choice, choose, Method } from './tables.js';
import type { Translator } from './translator.js';
import { dropped, isThing, type Value, type Word } from './word.js';

const ATOMICS = new Map(
  Object.getOwnPropertyNames(Atomics).map((name) => [(Atomics as unknown as Record<string, unknown>)[name], name]),
);

export function call(t: Translator, node: CallExpression): Value {
  const callee = value(t, node.callee as Expression);
  if (!isThing(callee)) throw t.refuse(node, 'what is called is no function that is known when this is translated');
  const { thing } = callee;
  if (thing instanceof Choice) {
    const kept: string[] = [];
    const given = argumentsOf(node).map((each) => keep(t, value(t, each), node, kept));
    const all = thing.things.map((each) => t.word(callOf(t, each, node, given), node));
    const { text, type } = choose(t, thing.index, all, node);
    return { text: `(block ${resultOf(type)} ${kept.join(' ')} ${text})`, type };
  }
  if (thing instanceof Method) return imported(t, thing.name, node, values(t, node));
  return callOf(t, thing, node);
}

/** A value that is asked for more than once: in a variable, which the instructions added to `before` set. */
function keep(t: Translator, of: Value, node: Node, before: string[]): Value {
  if (isThing(of) || of.known !== undefined) return of;
  const local = t.names.local('kept');
  local.constant = true;
  before.push(set(t, local, of, false, node).text);
  return get(local);
}

/** `given`: the arguments, if they have been translated. */
function callOf(t: Translator, fn: unknown, node: CallExpression, given?: readonly Value[]): Value {
  const name = t.setting.javascript.get(fn);
  if (name !== undefined) return imported(t, name, node, given ?? values(t, node));
  if (given === undefined && (fn === Math.imul || fn === Math.clz32)) return mathCall(t, fn, node);
  const operation = given === undefined ? ATOMICS.get(fn) : undefined;
  if (operation !== undefined) return atomicCall(t, operation, node);
  const source = t.setting.program.source(fn);
  if (source === null)
    throw t.refuse(node, `${t.setting.program.textOf(node.callee)} has no text that could be translated`);
  return writeOut(t, source, node, given ?? values(t, node));
}

const argumentsOf = (node: CallExpression): readonly Expression[] => node.arguments as Expression[];
const values = (t: Translator, node: CallExpression): readonly Value[] =>
  argumentsOf(node).map((each) => value(t, each));

function atomicCall(t: Translator, operation: string, node: CallExpression): Word {
  const [memory, address, ...operands] = argumentsOf(node);
  const words = memory === undefined ? null : value(t, memory);
  if (words === null || !isThing(words) || words.thing !== t.setting.thread.words)
    throw t.refuse(node, `Atomics.${operation} of something other than the memory`);
  const at = word(t, address);
  return atomic(
    t,
    operation,
    at,
    operands.map((each) => word(t, each, true)),
    node,
  );
}

function mathCall(t: Translator, fn: unknown, node: CallExpression): Word {
  const words = argumentsOf(node).map((each) => word(t, each, true).text);
  if (fn === Math.imul) return { text: `(i32.mul ${words.join(' ')})`, type: 'int' };
  return { text: `(i32.clz ${words.join(' ')})`, type: 'nat' };
}

/** JavaScript is given each word as a signed number, and makes this one of it. */
const UNSIGNED = { unsigned: true };

/**
 * A call of JavaScript. Texts and the like are part of the import's name, as JSON: `["broken","BUG",null]` is broken('BUG', x). It returns a word, if who calls
 * wants one, or nothing.
 */
function imported(t: Translator, name: string, node: CallExpression, given: readonly Value[]): Word {
  const words = given.filter((each): each is Word => !isThing(each));
  const field = JSON.stringify([
    name,
    ...given.map((each) => (isThing(each) ? each.thing : each.type === 'uint' ? UNSIGNED : null)),
  ]);
  const { imports } = t.setting;
  const id = imports.get(field) ?? `$js${imports.size}`;
  imports.set(field, id);
  for (const { type } of words) if (type === 'none') throw t.refuse(node, 'nothing is given to JavaScript');
  return { text: `(call ${id} ${words.map(({ text }) => text).join(' ')})`, type: 'int' };
}

/** A call: the body in its place, with variables of its own. */
function writeOut(t: Translator, source: FunctionSource, node: CallExpression, given: readonly Value[]): Value {
  const { node: fn } = source;
  if (t.frames.some((frame) => frame.source.node === fn))
    throw t.refuse(node, 'a function that calls itself is none of the subset');
  if (fn.async || fn.generator) throw t.refuse(node, 'this function does not run from its beginning to its end');
  const frame = new Frame(source, t.names.label('f'), t.names.result('result'));
  const before = parameters(t, frame, given, node);
  t.frames.push(frame);
  try {
    return bodyOf(t, frame, before);
  } finally {
    t.frames.pop();
  }
}

/** What is computed anew at each use rather than kept: an address and an offset. */
const SHORT = 120;

/** Binds parameters to what they are given; *returns* the instructions that do so. */
function parameters(t: Translator, frame: Frame, given: readonly Value[], node: CallExpression): string {
  const { node: fn } = frame.source;
  const text: string[] = [];
  fn.params.forEach((parameter, at) => {
    const name = parameterName(t, parameter as Node);
    const actual = given[at] ?? defaultOf(t, frame, parameter as Node);
    const constant = !assigns(fn, name);
    if (isThing(actual) || (constant && actual.pure && actual.text.length <= SHORT))
      frame.bind(name, { value: actual });
    else {
      const local = t.names.local(name);
      local.constant = constant;
      frame.bind(name, { local });
      text.push(set(t, local, actual, false, node).text);
    }
  });
  for (const extra of given.slice(fn.params.length))
    if (!isThing(extra) && extra.known === undefined) text.push(dropped(extra));
  return text.join(' ');
}

function parameterName(t: Translator, parameter: Node): string {
  const pattern = (parameter.type === 'AssignmentPattern' ? parameter.left : parameter) as BindingPattern;
  if (pattern.type !== 'Identifier') throw t.refuse(parameter, 'a parameter is a name, or a name and a default');
  return pattern.name;
}

function defaultOf(t: Translator, frame: Frame, parameter: Node): Value {
  if (parameter.type !== 'AssignmentPattern') return { thing: undefined };
  t.frames.push(frame);
  try {
    return value(t, parameter.right);
  } finally {
    t.frames.pop();
  }
}

/** The body of the innermost frame's function, after `before`; what it returns. */
export function bodyOf(t: Translator, frame: Frame, before: string): Value {
  const { body } = frame.source.node;
  if (body === null) throw t.refuse(frame.source.node, 'this function has no body');
  if (body.type !== 'BlockStatement') {
    const result = value(t, body as Expression);
    if (isThing(result) || (before === '' && result.known !== undefined) || before === '') return result;
    return { text: `(block ${resultOf(result.type)} ${before} ${result.text})`, type: result.type };
  }
  const { text, ends } = t.parts.block(t, body.body);
  if (!ends) t.learn(frame.result, 'none', frame.source.node);
  const type = frame.result.type ?? 'none';
  const end = type === 'none' ? '' : '(unreachable)';
  return { text: `(block ${frame.id} ${resultOf(type)} ${before} ${text} ${end})`, type };
}
