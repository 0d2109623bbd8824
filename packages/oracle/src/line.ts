// SPDX-License-Identifier: GPL-2.0-only
import { MAX_PROCESSES } from './script.js';

/** A script that cannot be read. `message` begins with `file:line:`. */
export class ScriptError extends Error {
  override readonly name = 'ScriptError';
  readonly code = 'ERR_ORACLE_SCRIPT';
  readonly file: string;
  readonly line: number;

  constructor(file: string, line: number, problem: string) {
    super(`${file}:${line}: ${problem}`);
    this.file = file;
    this.line = line;
  }
}

/** The words of a line of a script, taken one after the other. */
export class Line {
  private readonly words: readonly string[];
  readonly wrong: (problem: string) => ScriptError;
  /** Pages of the arena. */
  readonly arena: number;
  private next = 0;

  constructor(words: readonly string[], arena: number, wrong: (problem: string) => ScriptError) {
    this.words = words;
    this.arena = arena;
    this.wrong = wrong;
  }

  get more(): boolean {
    return this.next < this.words.length;
  }

  word(expected: string): string {
    if (!this.more) throw this.wrong(`expected ${expected} after "${this.words.join(' ')}"`);
    return this.words[this.next++];
  }

  oneOf<T extends string>(choices: readonly T[]): T {
    const word = this.word(choices.join(', '));
    const found = choices.find((choice) => choice === word);
    if (found !== undefined) return found;
    throw this.wrong(`expected ${choices.join(', ')}, got "${word}"`);
  }

  number(what: string, low: number, high: number, prefix = ''): number {
    const word = this.word(what);
    const value = new RegExp(`^${prefix}(\\d{1,4})$`).exec(word)?.[1];
    const number = Number(value);
    if (value === undefined || number < low || number > high)
      throw this.wrong(`expected ${what}, ${prefix}${low} to ${prefix}${high}, got "${word}"`);
    return number;
  }

  process(what: string): number {
    return this.number(what, 0, MAX_PROCESSES - 1, 'P');
  }

  /** Pages of the arena. `least`: 0 where a range may be empty. */
  range(least = 1): { at: number; pages: number } {
    const word = this.word('a range of pages such as 8+4');
    const match = /^(\d{1,4})\+(\d{1,4})$/.exec(word);
    const [at, pages] = [Number(match?.[1]), Number(match?.[2])];
    if (match === null || pages < least || at + pages > this.arena)
      throw this.wrong(`expected a range of pages such as 8+4 within the ${this.arena} that there are, got "${word}"`);
    return { at, pages };
  }

  /** The next word without its begin, if that is how it begins. */
  after(begin: string): string | null {
    const word = this.words[this.next];
    if (word?.startsWith(begin) !== true) return null;
    this.next += 1;
    return word.slice(begin.length);
  }

  end(): void {
    if (this.more) throw this.wrong(`expected nothing more, got "${this.words[this.next]}"`);
  }
}
