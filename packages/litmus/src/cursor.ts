// SPDX-License-Identifier: MIT
import type { Position } from './ast.js';
import { LitmusError, type Source } from './error.js';
import type { Token } from './lexer.js';

/** Deeper than any test, and far from what the stack of those who walk the tree bears. */
const MAX_DEPTH = 256;

/** The tokens of a test, and where the parser stands in them. */
export class Cursor {
  private readonly source: Source;
  private readonly tokens: readonly Token[];
  private index = 0;
  private depth = 0;

  constructor(source: Source, tokens: readonly Token[]) {
    this.source = source;
    this.tokens = tokens;
  }

  /** The token that stands here, or some places further on (or back); the end stays for ever. */
  peek(ahead = 0): Token {
    return this.tokens[Math.max(0, Math.min(this.index + ahead, this.tokens.length - 1))];
  }

  get at(): Position {
    return this.peek().at;
  }

  next(): Token {
    const token = this.peek();
    if (this.index < this.tokens.length - 1) this.index++;
    return token;
  }

  /** Whether this symbol or word stands here. */
  is(text: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token.kind !== 'end' && token.text === text;
  }

  accept(text: string): boolean {
    if (!this.is(text)) return false;
    this.next();
    return true;
  }

  /** `where` completes "expected ";" ...". */
  expect(text: string, where: string): Token {
    if (!this.is(text)) this.fail(`"${text}" ${where}`, text === ';' ? this.behindLast() : this.at);
    return this.next();
  }

  /** Where something is missed at the end of a line: there, and not where the next line begins. */
  private behindLast(): Position {
    const last = this.peek(-1);
    if (last.at.line === this.at.line) return this.at;
    return { line: last.at.line, column: last.at.column + last.text.length };
  }

  name(what: string): Token {
    if (this.peek().kind !== 'name') this.fail(what);
    return this.next();
  }

  /** A whole number, with its sign. */
  number(what: string): bigint {
    const negative = this.is('-') && this.peek(1).kind === 'number';
    if (negative) this.next();
    if (this.peek().kind !== 'number') this.fail(what);
    const value = BigInt(this.next().text.replace(/[uUlL]+$/, ''));
    return negative ? -value : value;
  }

  /** Throws: that was expected, and something else is here. */
  fail(expected: string, at: Position = this.at): never {
    const { kind, text } = this.peek();
    this.reject(`expected ${expected}, found ${kind === 'end' ? 'the end of the file' : `"${text}"`}`, at);
  }

  /** Throws: what stands here (or there) is wrong. */
  reject(problem: string, at: Position = this.at): never {
    throw new LitmusError(this.source, at, problem);
  }

  /** Goes one level down. Deep nesting is an error of its own and never a stack overflow. */
  nested<T>(body: () => T): T {
    if (this.depth >= MAX_DEPTH) this.reject(`nested too deeply: more than ${MAX_DEPTH} levels`);
    this.depth++;
    try {
      return body();
    } finally {
      this.depth--;
    }
  }
}
