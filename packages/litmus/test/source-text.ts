// SPDX-License-Identifier: MIT
import type { Condition, Expression, InitialValue, Litmus, Place, Statement } from '../src/ast.js';

/** A test as its tree has it, without where things stand in the text. */
export type Tree = Pick<
  Litmus,
  'name' | 'declared' | 'threads' | 'locations' | 'filter' | 'quantifier' | 'condition' | 'initial'
>;

/** Writes a tree as source, with parentheses and braces everywhere, so that the parser's own ideas of precedence have no part in it. */
export function sourceText(tree: Tree): string {
  const { name, declared, initial, threads, locations, filter, quantifier, condition } = tree;
  const parts = [
    `C ${name}`,
    declared === null ? '(* no verdict (* { nested *) *)' : `(*\n * Result: ${declared}\n *)`,
    `{ ${initial.map(({ place, value }) => `${placeText(place)} = ${valueText(value)};`).join(' ')} }`,
    ...threads.map(
      ({ parameters, body }, number) =>
        `P${number}(${parameters.map(({ type, name: parameter }) => `${type} ${parameter}`).join(', ')})\n${block(body)}`,
    ),
    locations.length === 0 ? '' : `locations [${locations.map(placeText).join('; ')}]`,
    filter === null ? '' : `filter (${conditionText(filter)})`,
    `${quantifier} (${conditionText(condition)})`,
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

const block = (body: readonly Statement[]): string => `{\n${body.map(statementText).join('\n')}\n}`;

function statementText(of: Statement): string {
  switch (of.kind) {
    case 'assign':
      return `${of.register} = ${expressionText(of.value)};`;
    case 'store':
      return `*(${expressionText(of.pointer)}) = ${expressionText(of.value)};`;
    case 'expression':
      return `${expressionText(of.expression)};`;
    case 'if':
      return `if (${expressionText(of.condition)}) ${block(of.then)} else ${block(of.otherwise)}`;
    case 'while':
      return `while (${expressionText(of.condition)}) ${block(of.body)}`;
    case 'doWhile':
      return `do ${block(of.body)} while (${expressionText(of.condition)});`;
  }
}

function expressionText(of: Expression): string {
  switch (of.kind) {
    case 'constant':
      return String(of.value);
    case 'name':
      return of.name;
    case 'dereference':
      return `(*(${expressionText(of.pointer)}))`;
    case 'addressOf':
      return `(&(${expressionText(of.of)}))`;
    case 'unary':
      return `(${of.operator}(${expressionText(of.operand)}))`;
    case 'binary':
      return `((${expressionText(of.left)}) ${of.operator} (${expressionText(of.right)}))`;
    case 'call':
      return `${of.name}(${of.arguments.map(expressionText).join(', ')})`;
  }
}

function conditionText(of: Condition): string {
  switch (of.kind) {
    case 'true':
      return 'true';
    case 'not':
      return `~(${conditionText(of.operand)})`;
    case 'atom':
      return `${placeText(of.place)}${of.operator}${valueText(of.value)}`;
    default:
      return `(${conditionText(of.left)}) ${of.kind === 'and' ? '/\\' : '\\/'} (${conditionText(of.right)})`;
  }
}

const placeText = ({ thread, name }: Place): string => (thread === null ? name : `${thread}:${name}`);

function valueText(value: InitialValue | Place): string {
  if ('constant' in value) return String(value.constant);
  if ('address' in value) return value.address;
  return value.thread === null ? `[${value.name}]` : placeText(value);
}
