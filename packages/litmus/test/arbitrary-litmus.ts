// SPDX-License-Identifier: MIT
import fc from 'fast-check';
import type { BinaryOperator, Condition, Expression, InitialValue, Place, Statement } from '../src/ast.js';
import type { Tree } from './source-text.js';

const at = { line: 0, column: 0 };

const variable = fc.constantFrom('x', 'y', 'z', 'P9x', 'foo');
const register = fc.constantFrom('r0', 'r1', 'intel', 'iffy');
const macro = fc.constantFrom('READ_ONCE', 'atomic_add_return', 'smp_mb');
const operator = fc.constantFrom<BinaryOperator>(
  ...('+ - * / % & | ^ << >> == != < <= > >= && ||'.split(' ') as BinaryOperator[]),
);

const { expression } = fc.letrec<{ expression: Expression }>((tie) => ({
  expression: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.nat().map((value): Expression => ({ kind: 'constant', value: BigInt(value), at })),
    fc.oneof(variable, register).map((name): Expression => ({ kind: 'name', name, at })),
    tie('expression').map((pointer): Expression => ({ kind: 'dereference', pointer, at })),
    tie('expression').map((of): Expression => ({ kind: 'addressOf', of, at })),
    fc
      .tuple(fc.constantFrom('~' as const, '!' as const), tie('expression'))
      .map(([symbol, operand]): Expression => ({ kind: 'unary', operator: symbol, operand, at })),
    fc
      .tuple(operator, tie('expression'), tie('expression'))
      .map(([symbol, left, right]): Expression => ({ kind: 'binary', operator: symbol, left, right, at })),
    fc
      .tuple(macro, fc.array(tie('expression'), { maxLength: 3 }))
      .map(([name, args]): Expression => ({ kind: 'call', name, arguments: args, at })),
  ),
}));

const { statements } = fc.letrec<{ statement: Statement; statements: Statement[] }>((tie) => ({
  statement: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.tuple(register, expression).map(([name, value]): Statement => ({ kind: 'assign', register: name, value, at })),
    fc.tuple(expression, expression).map(([pointer, value]): Statement => ({ kind: 'store', pointer, value, at })),
    expression.map((each): Statement => ({ kind: 'expression', expression: each, at })),
    fc
      .tuple(expression, tie('statements'), tie('statements'))
      .map(([condition, then, otherwise]): Statement => ({ kind: 'if', condition, then, otherwise, at })),
    fc
      .tuple(fc.constantFrom('while' as const, 'doWhile' as const), expression, tie('statements'))
      .map(([kind, condition, body]): Statement => ({ kind, condition, body, at })),
  ),
  statements: fc.array(tie('statement'), { maxLength: 4 }),
}));

const initialValue: fc.Arbitrary<InitialValue> = fc.oneof(
  fc.integer().map((value) => ({ constant: BigInt(value) })),
  variable.map((address) => ({ address })),
);

const place = (threads: number): fc.Arbitrary<Place> =>
  fc.oneof(
    variable.map((name) => ({ thread: null, name })),
    fc.record({ thread: fc.nat({ max: threads - 1 }), name: register }),
  );

function condition(threads: number): fc.Arbitrary<Condition> {
  const atom = fc.record({
    kind: fc.constant('atom' as const),
    place: place(threads),
    operator: fc.constant('=' as const),
    value: fc.oneof(initialValue, place(threads)),
  });
  return fc.letrec<{ condition: Condition }>((tie) => ({
    condition: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      atom,
      fc.constant<Condition>({ kind: 'true' }),
      tie('condition').map((operand): Condition => ({ kind: 'not', operand })),
      fc.record({
        kind: fc.constantFrom('and' as const, 'or' as const),
        left: tie('condition'),
        right: tie('condition'),
      }),
    ),
  })).condition;
}

/** Any test that the format can say, in all its constructs. */
export const litmusTree: fc.Arbitrary<Tree> = fc.integer({ min: 1, max: 3 }).chain((count) => {
  const thread = fc.record({
    parameters: fc
      .uniqueArray(variable, { maxLength: 3 })
      .map((names) => names.map((name) => ({ name, type: 'int *' }))),
    body: statements,
    at: fc.constant(at),
  });
  const entry = fc.record({ place: place(count), value: initialValue, at: fc.constant(at) });
  return fc.record<Tree>({
    name: fc.constantFrom('MP', 'SB+a/b[1]+*', '2+2W', 'with.dots-and_more'),
    declared: fc.constantFrom(null, 'Never', 'Sometimes DATARACE'),
    initial: fc.uniqueArray(entry, { maxLength: 4, selector: ({ place: { thread: t, name } }) => `${t}:${name}` }),
    threads: fc.array(thread, { minLength: count, maxLength: count }),
    locations: fc.array(place(count), { maxLength: 3 }),
    filter: fc.option(condition(count), { nil: null }),
    quantifier: fc.constantFrom('exists', '~exists', 'forall'),
    condition: condition(count),
  });
});
