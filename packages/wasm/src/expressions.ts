// SPDX-License-Identifier: MIT
import type { AssignmentExpression, Expression, MemberExpression, Node, UpdateExpression } from 'oxc-parser';
import { load, store } from './memory.js';
import { binary, isBitwise, unary } from './operators.js';
import type { Local } from './scope.js';
import { element, member } from './tables.js';
import type { Translator } from './translator.js';
import { constant, dropped, isThing, known, type Value, type Word } from './word.js';

/** An expression. `wrap`: whoever wants its value looks at 32 bits of it only. */
export function value(t: Translator, node: Expression, wrap = false): Value {
  switch (node.type) {
    case 'ParenthesizedExpression':
      return value(t, node.expression, wrap);
    case 'Literal':
      return literal(node.value, wrap);
    case 'Identifier':
      return name(t, node, node.name);
    case 'MemberExpression':
      return memberValue(t, node);
    case 'UnaryExpression':
      if (node.operator === 'void') return { text: effect(t, node.argument), type: 'none' };
      return unary(
        t,
        node,
        node.operator,
        word(t, node.argument, node.operator === '~' || (wrap && node.operator === '-')),
        wrap,
      );
    case 'BinaryExpression': {
      const less = isBitwise(node.operator) || (wrap && (node.operator === '+' || node.operator === '-'));
      const left = word(t, node.left as Expression, less);
      return binary(t, node, node.operator, left, word(t, node.right, less), wrap);
    }
    case 'LogicalExpression':
      return logical(t, node.operator, node.left, node.right, node);
    case 'ConditionalExpression':
      return conditional(t, node.test, node.consequent, node.alternate, wrap, node);
    case 'AssignmentExpression':
      return assignment(t, node, true);
    case 'UpdateExpression':
      return update(t, node, true);
    case 'SequenceExpression': {
      const last = node.expressions[node.expressions.length - 1];
      const before = node.expressions.slice(0, -1).map((each) => effect(t, each));
      const { text, type } = word(t, last, wrap);
      return { text: `(block ${resultOf(type)} ${before.join(' ')} ${text})`, type };
    }
    case 'CallExpression':
      return t.parts.call(t, node);
    default:
      throw t.refuse(node, `${node.type} is none of the subset`);
  }
}

export const resultOf = (type: Word['type']): string => (type === 'none' ? '' : '(result i32)');

/** The same, and it must be a word. */
export const word = (t: Translator, node: Expression, wrap = false): Word => t.word(value(t, node, wrap), node);

/** An expression of which only what it does is wanted. */
export function effect(t: Translator, node: Expression): string {
  if (node.type === 'ParenthesizedExpression') return effect(t, node.expression);
  if (node.type === 'AssignmentExpression') return assignment(t, node, false).text;
  if (node.type === 'UpdateExpression') return update(t, node, false).text;
  if (node.type === 'ConditionalExpression') {
    const test = condition(t, node.test);
    if (test.known !== undefined) return effect(t, test.known ? node.consequent : node.alternate);
    return `(if ${test.text} (then ${effect(t, node.consequent)}) (else ${effect(t, node.alternate)}))`;
  }
  const done = value(t, node);
  if (isThing(done)) return '';
  return dropped(done);
}

/** What an `if` asks. */
export function condition(t: Translator, node: Expression): Word {
  const asked = word(t, node);
  if (asked.type === 'none') throw t.refuse(node, 'this has no value that could be asked for');
  return asked.known === undefined ? asked : { ...asked, known: Boolean(asked.known) };
}

function literal(of: unknown, wrap: boolean): Value {
  return (typeof of === 'number' ? constant(of, wrap) : null) ?? known(of);
}

/** A name: of a variable, of something that was captured, or of the module. */
function name(t: Translator, node: Node, of: string): Value {
  const bound = t.frame.find(of);
  if (bound !== undefined) {
    if ('value' in bound) return bound.value;
    return get(bound.local);
  }
  for (const scope of t.frame.source.captured) if (of in scope) return captured(t, node, scope[of]);
  const { program, thread } = t.setting;
  const found = program.valueOf(of);
  if (program.isVariable(of) && found !== thread.words && found !== thread.thisCpu)
    throw t.refuse(node, `${of} is a variable of its module, and may change: it is none of the subset`);
  return known(found);
}

function captured(t: Translator, node: Node, found: unknown): Value {
  if (typeof found === 'function') return { thing: found };
  throw t.refuse(node, 'this belongs to the function around this one, and may change: only functions are known there');
}

function memberValue(t: Translator, node: MemberExpression): Value {
  if (node.computed) {
    const object = value(t, node.object as Expression);
    if (isThing(object) && object.thing === t.setting.thread.words)
      return load(t, word(t, node.property as Expression), node);
    return element(t, object, word(t, node.property as Expression), node);
  }
  const field = threadField(t, node);
  if (field === null) return member(t, value(t, node.object as Expression), node);
  const { constants, flags } = t.setting.fields;
  const type = flags.includes(field) ? 'bool' : constants.includes(field) ? 'nat' : 'int';
  return { text: `(global.get $${field})`, type };
}

/** The field of the thread that an expression is, or null. */
function threadField(t: Translator, node: MemberExpression): string | null {
  if (node.computed || node.property.type !== 'Identifier') return null;
  const object = value(t, node.object as Expression);
  const { thisCpu } = t.setting.thread;
  if (!isThing(object) || object.thing !== thisCpu) return null;
  const { constants, counters, flags } = t.setting.fields;
  const { name: field } = node.property;
  if ([...constants, ...counters, ...flags].includes(field)) return field;
  throw t.refuse(node, `${field} of a thread is not what WebAssembly knows of it`);
}

function logical(t: Translator, operator: string, left: Expression, right: Expression, node: Node): Word {
  const first = condition(t, left);
  const decided = operator === '||';
  if (operator === '??') throw t.refuse(node, '?? is none of the subset');
  if (first.known !== undefined) return first.known === decided ? (constant(decided) as Word) : boolean(t, right);
  if (first.type !== 'bool') throw t.refuse(left, `${operator} of numbers: compare them with 0`);
  const second = boolean(t, right);
  const short = `(i32.const ${decided ? 1 : 0})`;
  const [yes, no] = decided ? [short, second.text] : [second.text, short];
  return { text: `(if (result i32) ${first.text} (then ${yes}) (else ${no}))`, type: 'bool' };
}

function boolean(t: Translator, node: Expression): Word {
  const asked = word(t, node);
  if (asked.known !== undefined) return constant(Boolean(asked.known)) as Word;
  if (asked.type !== 'bool') throw t.refuse(node, 'a number as a condition among others: compare it with 0');
  return asked;
}

function conditional(
  t: Translator,
  test: Expression,
  consequent: Expression,
  alternate: Expression,
  wrap: boolean,
  node: Node,
): Value {
  const asked = condition(t, test);
  if (asked.known !== undefined) return value(t, asked.known ? consequent : alternate, wrap);
  const [yes, no] = [word(t, consequent, wrap), word(t, alternate, wrap)];
  const type = t.meet(yes.type, no.type, node);
  if (type === 'none') return none(`(if ${asked.text} (then ${dropped(yes)}) (else ${dropped(no)}))`);
  return { text: `(if ${resultOf(type)} ${asked.text} (then ${yes.text}) (else ${no.text}))`, type };
}

/** `operator` of `+=` and the like. */
const operatorOf = (assigned: string): string => assigned.slice(0, -1);

function assignment(t: Translator, node: AssignmentExpression, wanted: boolean): Word {
  const { left, operator, right } = node;
  if (left.type === 'Identifier') {
    const local = variable(t, left);
    const plain = operator === '=';
    const next = plain
      ? word(t, right)
      : binary(t, node, operatorOf(operator), get(local), word(t, right, isBitwise(operatorOf(operator))), false);
    return set(t, local, next, wanted, node);
  }
  if (left.type !== 'MemberExpression') throw t.refuse(node, 'what is assigned to is none of the subset');
  const field = threadField(t, left);
  if (wanted) throw t.refuse(node, 'the value of an assignment to memory is none of the subset');
  if (field !== null) return setField(t, field, node);
  const object = value(t, left.object as Expression);
  if (!left.computed || !isThing(object) || object.thing !== t.setting.thread.words)
    throw t.refuse(node, 'only variables, words of the memory and the state of this thread are assigned to');
  const address = word(t, left.property as Expression);
  if (operator === '=') return none(store(t, address, word(t, right, true), node));
  const at = t.names.local('at');
  t.learn(at, address.type, node);
  const sum = binary(t, node, operatorOf(operator), load(t, get(at), node), word(t, right, true), true);
  return none(`(local.set ${at.name} ${address.text}) ${store(t, get(at), sum, node)}`);
}

function setField(t: Translator, field: string, node: AssignmentExpression): Word {
  const { constants, flags } = t.setting.fields;
  if (constants.includes(field)) throw t.refuse(node, `${field} of a thread does not change`);
  const before: Word = { text: `(global.get $${field})`, type: flags.includes(field) ? 'bool' : 'int' };
  const right = word(t, node.right);
  const next = node.operator === '=' ? right : binary(t, node, operatorOf(node.operator), before, right, false);
  if ((next.type === 'bool') !== flags.includes(field)) throw t.refuse(node, `${field} cannot be ${next.type}`);
  return none(`(global.set $${field} ${next.text})`);
}

const none = (text: string): Word => ({ text, type: 'none' });

export const get = (local: Local): Word => ({
  text: `(local.get ${local.name})`,
  type: local.type ?? 'int',
  ...(local.constant && { pure: true }),
});

/** Gives a variable a value. `wanted`: and leaves it. */
export function set(t: Translator, local: Local, to: Word, wanted: boolean, node: Node): Word {
  if (to.type === 'none') throw t.refuse(node, 'this has no value');
  t.learn(local, to.type, node);
  if (!wanted) return none(`(local.set ${local.name} ${to.text})`);
  return { text: `(local.tee ${local.name} ${to.text})`, type: local.type ?? to.type };
}

function update(t: Translator, node: UpdateExpression, wanted: boolean): Word {
  const one = constant(1) as Word;
  const operator = node.operator === '++' ? '+' : '-';
  if (node.argument.type !== 'Identifier') {
    const target = node.argument as Expression;
    if (wanted || target.type !== 'MemberExpression') throw t.refuse(node, `${node.operator} is for variables here`);
    const { start, end } = node;
    return assignment(
      t,
      {
        type: 'AssignmentExpression',
        operator: `${operator}=`,
        left: target,
        right: { type: 'Literal', value: 1, raw: '1', start, end },
        start,
        end,
      } as AssignmentExpression,
      false,
    );
  }
  const local = variable(t, node.argument);
  const next = binary(t, node, operator, get(local), one, false);
  if (!wanted || node.prefix) return set(t, local, next, wanted, node);
  const before = get(local);
  const text = `(block (result i32) ${before.text} ${set(t, local, next, false, node).text})`;
  return { text, type: before.type };
}

function variable(t: Translator, node: { readonly name: string } & Node): Local {
  const bound = t.frame.find(node.name);
  if (bound === undefined || !('local' in bound)) throw t.refuse(node, `${node.name} is no variable of this function`);
  return bound.local;
}
