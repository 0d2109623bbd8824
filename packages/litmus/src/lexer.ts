// SPDX-License-Identifier: MIT
/**
 * Why no library: a lexer for this format must know whether it stands in C, because `(*` begins a comment outside of thread bodies and is
 * `(` and `*` inside. Parser toolkits were weighed: chevrotain takes 300 ms to import and 25 ms to build a grammar of this size, three times as
 * long as the kernel's 47 tests take to parse and solve; ohm interprets its grammar; a generated parser (peggy) is one more build step, and gives
 * "expected A, B, C or 14 others" for an error; moo is one regular expression and a table, which is what stands below. So: one sticky regular
 * expression, and recursive descent, which says what it expected in words.
 */
import type { Position } from './ast.js';
import { LitmusError, type Source } from './error.js';

export interface Token {
  readonly kind: 'name' | 'number' | 'symbol' | 'end';
  readonly text: string;
  readonly at: Position;
}

const WORD = /[A-Za-z_]\w*/y;
const NUMBER = /(?:0[xX][0-9a-fA-F]+|\d+)(?:[uU]?[lL]{0,2}|[lL]{1,2}[uU])(?!\w)/y;
/** Longest first. `/\` and `\/` are the condition's; the rest is C. */
const SYMBOL = /\/\\|\\\/|<<=|>>=|\+\+|--|->|=>|<>|==|!=|<=|>=|<<|>>|&&|\|\||[-+*/%&|^]=|[-+*/%&|^~!<>=(){}[\];:,?.]/y;
const THREAD = /^P\d+$/;

/** Where the text stands: C (parameters and body of a thread) or not. */
type Mode = 'outside' | 'parameters' | 'before-body' | 'body';

/** The first line and what follows it up to the first `{`, then tokens. */
export class Lexer {
  private readonly source: Source;
  private readonly text: string;
  private offset: number;
  private line: number;
  private lineStart: number;

  constructor(source: Source, offset: number, at: Position) {
    this.source = source;
    this.text = source.text;
    this.offset = offset;
    this.line = at.line;
    this.lineStart = offset - (at.column - 1);
  }

  /** All tokens up to the end of the text; the last one is the end. */
  tokens(): Token[] {
    const tokens: Token[] = [];
    let mode: Mode = 'outside';
    let depth = 0;
    // The init block is the first pair of braces: no C.
    let init = true;
    for (;;) {
      const before = tokens.at(-1);
      const threadBegins = !init && mode === 'outside' && before !== undefined && THREAD.test(before.text);
      this.skip(!threadBegins && (mode === 'outside' || mode === 'before-body'));
      const token = this.next();
      tokens.push(token);
      if (token.kind === 'end') return tokens;
      if (init) init = token.text !== '}';
      else if (threadBegins && token.text === '(') {
        mode = 'parameters';
        depth = 1;
      } else if (mode === 'parameters') {
        depth += nesting(token.text, '(', ')');
        if (depth === 0) mode = 'before-body';
      } else if (mode === 'before-body') {
        mode = token.text === '{' ? 'body' : 'outside';
        depth = 1;
      } else if (mode === 'body') {
        depth += nesting(token.text, '{', '}');
        if (depth === 0) mode = 'outside';
      }
    }
  }

  private next(): Token {
    const at = this.position();
    if (this.offset >= this.text.length) return { kind: 'end', text: '', at };
    const word = this.match(WORD);
    if (word !== null) return { kind: 'name', text: word, at };
    if (isDigit(this.text.charCodeAt(this.offset))) {
      const number = this.match(NUMBER);
      if (number === null) throw this.error(at, `malformed number "${/\w*/.exec(this.text.slice(this.offset))?.[0]}"`);
      return { kind: 'number', text: number, at };
    }
    const symbol = this.match(SYMBOL);
    if (symbol === null) throw this.error(at, `unexpected character ${describe(this.text, this.offset)}`);
    return { kind: 'symbol', text: symbol, at };
  }

  /** Passes spaces and comments. `(*` is a comment only where no C stands. */
  private skip(parenthesisComments: boolean): void {
    const { text } = this;
    for (;;) {
      const character = text[this.offset];
      const next = text[this.offset + 1];
      if (character === '\n') {
        this.lineStart = ++this.offset;
        this.line++;
      } else if (character === ' ' || character === '\t' || character === '\r' || character === '\f') this.offset++;
      else if (character === '/' && next === '*') this.blockComment();
      else if (character === '/' && next === '/') this.lineComment();
      else if (character === '(' && next === '*' && parenthesisComments) this.nestedComment();
      else return;
    }
  }

  private lineComment(): void {
    const end = this.text.indexOf('\n', this.offset);
    this.offset = end < 0 ? this.text.length : end;
  }

  private blockComment(): void {
    const end = this.text.indexOf('*/', this.offset + 2);
    if (end < 0) throw this.error(this.position(), 'this comment is never closed: expected "*/"');
    this.advance(end + 2);
  }

  private nestedComment(): void {
    const end = endOfComment(this.text, this.offset);
    if (end < 0) throw this.error(this.position(), 'this comment is never closed: expected "*)"');
    this.advance(end);
  }

  /** Moves on to an offset, counting lines. */
  private advance(to: number): void {
    for (;;) {
      const newline = this.text.indexOf('\n', this.offset);
      if (newline < 0 || newline >= to) break;
      this.offset = this.lineStart = newline + 1;
      this.line++;
    }
    this.offset = to;
  }

  private match(pattern: RegExp): string | null {
    const { offset } = this;
    pattern.lastIndex = offset;
    if (!pattern.test(this.text)) return null;
    this.offset = pattern.lastIndex;
    return this.text.slice(offset, this.offset);
  }

  private position(): Position {
    return { line: this.line, column: this.offset - this.lineStart + 1 };
  }

  private error(at: Position, problem: string): LitmusError {
    return new LitmusError(this.source, at, problem);
  }
}

/** Offset behind the `*)` that closes the `(*` at an offset, or -1. These comments nest. */
export function endOfComment(text: string, offset: number): number {
  const bracket = /\(\*|\*\)/g;
  bracket.lastIndex = offset;
  let depth = 0;
  for (let found = bracket.exec(text); found !== null; found = bracket.exec(text)) {
    depth += found[0] === '(*' ? 1 : -1;
    if (depth === 0) return bracket.lastIndex;
  }
  return -1;
}

const nesting = (text: string, open: string, close: string): number => (text === open ? 1 : text === close ? -1 : 0);

const isDigit = (code: number): boolean => code >= 48 && code <= 57;

function describe(text: string, offset: number): string {
  const character = String.fromCodePoint(text.codePointAt(offset) ?? 0);
  return /\p{C}/u.test(character) ? `U+${character.codePointAt(0)?.toString(16).padStart(4, '0')}` : `"${character}"`;
}
