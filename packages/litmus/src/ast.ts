// SPDX-License-Identifier: MIT

import type { Source } from './error.js';

/** Where something stands in the source: line and column from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Where an access goes: a C lvalue. `name` is a parameter (a shared variable), a register or a global. */
export type Expression =
  | { readonly kind: 'constant'; readonly value: bigint; readonly at: Position }
  /** A register or, where it names a shared variable, its address. */
  | { readonly kind: 'name'; readonly name: string; readonly at: Position }
  /** `*e`: a plain load where a value is wanted, the location where an address is. */
  | { readonly kind: 'dereference'; readonly pointer: Expression; readonly at: Position }
  | { readonly kind: 'addressOf'; readonly of: Expression; readonly at: Position }
  | { readonly kind: 'unary'; readonly operator: '-' | '~' | '!'; readonly operand: Expression; readonly at: Position }
  | {
      readonly kind: 'binary';
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
      readonly at: Position;
    }
  /** A primitive of linux-kernel.def with its arguments, macros not expanded: `READ_ONCE(*x)`, `atomic_add_return(1, v)`. */
  | { readonly kind: 'call'; readonly name: string; readonly arguments: readonly Expression[]; readonly at: Position };

export type BinaryOperator =
  | '+'
  | '-'
  | '*'
  | '/'
  | '%'
  | '&'
  | '|'
  | '^'
  | '<<'
  | '>>'
  | '=='
  | '!='
  | '<'
  | '<='
  | '>'
  | '>='
  | '&&'
  | '||';

/** Casts and types carry no meaning and are dropped. */
export type Statement =
  | { readonly kind: 'assign'; readonly register: string; readonly value: Expression; readonly at: Position }
  /** A plain store, `*p = e` or `x = e` on a shared variable. */
  | { readonly kind: 'store'; readonly pointer: Expression; readonly value: Expression; readonly at: Position }
  | { readonly kind: 'expression'; readonly expression: Expression; readonly at: Position }
  | {
      readonly kind: 'if';
      readonly condition: Expression;
      readonly then: readonly Statement[];
      readonly otherwise: readonly Statement[];
      readonly at: Position;
    }
  /** Bounded: unrolled as often as asked; an execution that would go on is cut and said to be. */
  | {
      readonly kind: 'while';
      readonly condition: Expression;
      readonly body: readonly Statement[];
      readonly at: Position;
    }
  | {
      readonly kind: 'doWhile';
      readonly condition: Expression;
      readonly body: readonly Statement[];
      readonly at: Position;
    };

export interface Thread {
  readonly parameters: readonly { readonly name: string; readonly type: string }[];
  readonly body: readonly Statement[];
  readonly at: Position;
}

/** What a location or register holds: a number, or the address of a shared variable by name. */
export type InitialValue = { readonly constant: bigint } | { readonly address: string };

/** A location (`thread` null) or a register of a thread. */
export interface Place {
  readonly thread: number | null;
  readonly name: string;
}

export type Condition =
  | { readonly kind: 'and' | 'or'; readonly left: Condition; readonly right: Condition }
  | { readonly kind: 'not'; readonly operand: Condition }
  | { readonly kind: 'true' }
  | {
      readonly kind: 'atom';
      readonly place: Place;
      readonly operator: '=' | '!=';
      readonly value: InitialValue | Place;
    };

export interface Litmus {
  /** Where it was read, and its text: what errors about it show. */
  readonly source: Source;
  /** As on the first line. */
  readonly name: string;
  /** From a `Result:` line of a comment: `Never`, `Sometimes`, `Always`, `DEADLOCK`, with `DATARACE` or not; null when not declared. */
  readonly declared: string | null;
  readonly initial: readonly { readonly place: Place; readonly value: InitialValue; readonly at: Position }[];
  /**
   * Arrays that the init block declares. Element k is a variable with the name `a[k]`, and the array's name stands for the address of `a[0]`: the
   * parser has replaced it everywhere (a parameter `int *a` is one parameter for each element), and `a[2]` by `*a[2]`. Only an index that is not constant is left:
   * `*(a[0] + index)`.
   */
  readonly arrays: readonly { readonly name: string; readonly length: number }[];
  readonly threads: readonly Thread[];
  readonly locations: readonly Place[];
  readonly filter: Condition | null;
  readonly quantifier: 'exists' | '~exists' | 'forall';
  readonly condition: Condition;
  /** The condition with its quantifier, as herd prints it back. */
  readonly conditionText: string;
}
