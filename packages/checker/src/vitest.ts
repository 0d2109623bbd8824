// SPDX-License-Identifier: MIT
import { expect } from 'vitest';
import { check } from './check.js';
import { formatResult } from './format.js';
import type { Program } from './program.js';
import type { CheckOptions, CheckResult, Violation } from './result.js';

/** A violation that a test expects, and how the program is to be checked. What is left out may be anything. */
export interface ExpectedViolation extends CheckOptions {
  /** {@link Violation.kind}: never leave it out, or any bug passes for the one that is meant. */
  readonly kind: string;
  /** {@link Violation.at}. */
  readonly at?: string;
  /** All of {@link Violation.message}, or what it matches. */
  readonly message?: string | RegExp;
}

interface CheckMatchers {
  /** Every execution of the program was looked at, and none is wrong. Fails with the counterexample, and when a bound was reached. */
  toHold(options?: CheckOptions): Promise<void>;
  /** Some execution of the program goes wrong in just this way. */
  toBeViolated(expected: ExpectedViolation): Promise<void>;
}

declare module 'vitest' {
  // biome-ignore lint/suspicious/noExplicitAny: an interface merges with its namesake only when it has the same type parameters
  interface Matchers<T = any> extends CheckMatchers {}
}

/** Throws TypeError on what is no program, so that `expect(check(...))` is not taken for a verdict. */
function programOf(received: unknown, matcher: string): Program {
  const { setup, threads } = (received ?? {}) as Partial<Program>;
  if (typeof setup !== 'function' || typeof threads !== 'object')
    throw new TypeError(`expect(...).${matcher}(): expected a Program, with setup and threads; got ${typeof received}`);
  return received as Program;
}

const differs = (violation: Violation, { kind, at, message }: ExpectedViolation): boolean =>
  violation.kind !== kind ||
  (at !== undefined && violation.at !== at) ||
  (typeof message === 'string' && violation.message !== message) ||
  (message instanceof RegExp && !message.test(violation.message));

const wordsOf = ({ kind, at, message }: ExpectedViolation): string =>
  `${kind}${at === undefined ? '' : ` in ${at}`}${message === undefined ? '' : ` (${message})`}`;

const outcome = (pass: boolean, message: string): { pass: boolean; message: () => string } => ({
  pass,
  message: () => message,
});
const report = (expectation: string, result: CheckResult): string => `${expectation}\n\n${formatResult(result)}`;

expect.extend({
  async toHold(received: unknown, options: CheckOptions = {}) {
    const result = await check(programOf(received, 'toHold'), options);
    // A bounded check is no proof of anything, so it satisfies neither toHold() nor not.toHold().
    if (result.verdict === 'bounded')
      return outcome(this.isNot, report('expected a verdict, but a bound was reached', result));
    return outcome(
      result.verdict === 'holds',
      report(`expected the program ${this.isNot ? 'not ' : ''}to hold`, result),
    );
  },

  async toBeViolated(received: unknown, expected: ExpectedViolation) {
    const { kind: _kind, at: _at, message: _message, ...options } = expected;
    const result = await check(programOf(received, 'toBeViolated'), options);
    const pass = result.violation !== undefined && !differs(result.violation, expected);
    if (this.isNot && result.verdict === 'bounded')
      return outcome(true, report(`expected no ${wordsOf(expected)}, but a bound was reached`, result));
    return outcome(pass, report(`expected ${this.isNot ? 'no ' : ''}${wordsOf(expected)}`, result));
  },
});
