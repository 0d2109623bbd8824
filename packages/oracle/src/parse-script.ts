// SPDX-License-Identifier: GPL-2.0-only
import {
  ADVICE,
  ARENA_PAGES,
  Living,
  MAX_FILE_PAGES,
  MAX_FILES,
  MAX_PROCESSES,
  MSYNC_MODES,
  PROTS,
  type Script,
  type ScriptFile,
  type Step,
} from './script.js';

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

/** Steps that will be there when `@lockless/mm` has what they need. */
const NOT_YET: Readonly<Record<string, string>> = {
  'swap-out': 'mm has no swap yet',
  swapoff: 'mm has no swap yet',
  huge: 'mm has no huge pages yet',
  free: 'mm drops no anonymous memory yet (MADV_FREE)',
  'remap-file-pages': 'mm has no nonlinear mappings yet',
};

/** Reads a script: a line for each file and for each step; `#` begins a comment. Throws a {@link ScriptError}. */
export function parseScript(text: string, name: string): Script {
  const files: ScriptFile[] = [];
  const steps: Step[] = [];
  const living = new Living();
  text.split('\n').forEach((raw, i) => {
    const words = raw.replace(/#.*/, '').trim().split(/\s+/);
    if (words[0] === '') return;
    const line = new Line(words, (problem) => new ScriptError(name, i + 1, problem));
    if (words[0] === 'file') {
      if (steps.length > 0) throw line.wrong('files come before the first step');
      files.push(parseFile(line, files.length));
      return;
    }
    const step = parseStep(line, files.length, living);
    living.follow(step);
    steps.push(step);
  });
  return { files, steps };
}

/** The words of a line, taken one after the other. */
class Line {
  private readonly words: readonly string[];
  readonly wrong: (problem: string) => ScriptError;
  private next = 0;

  constructor(words: readonly string[], wrong: (problem: string) => ScriptError) {
    this.words = words;
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
    const later = NOT_YET[word];
    if (later !== undefined) throw this.wrong(`${word} is refused: ${later}`);
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

  range(): { at: number; pages: number } {
    const word = this.word('a range of pages such as 8+4');
    const match = /^(\d{1,4})\+(\d{1,4})$/.exec(word);
    const [at, pages] = [Number(match?.[1]), Number(match?.[2])];
    if (match === null || pages === 0 || at + pages > ARENA_PAGES)
      throw this.wrong(`expected a range of pages such as 8+4 within the ${ARENA_PAGES} that there are, got "${word}"`);
    return { at, pages };
  }

  end(): void {
    if (this.more) throw this.wrong(`expected nothing more, got "${this.words[this.next]}"`);
  }
}

function parseFile(line: Line, number: number): ScriptFile {
  line.word('file');
  if (number === MAX_FILES) throw line.wrong(`expected at most ${MAX_FILES} files`);
  line.number('the number of the next file', number, number);
  const kind = line.oneOf(['disk', 'memory'] as const);
  const pages = line.number('its pages', 0, MAX_FILE_PAGES);
  line.end();
  return { kind, pages };
}

const OPERATIONS = [
  'mmap',
  'read',
  'write',
  'fork',
  'exit',
  'munmap',
  'mremap',
  'mprotect',
  'madvise',
  'msync',
  'mlock',
  'munlock',
  'truncate',
] as const;

function parseStep(line: Line, files: number, living: Living): Step {
  const process = line.process('a process');
  if (!living.has(process)) throw line.wrong(`there is no process P${process} here`);
  const step = parseOperation(line, process, files, living);
  line.end();
  return step;
}

function parseOperation(line: Line, process: number, files: number, living: Living): Step {
  const op = line.oneOf(OPERATIONS);
  switch (op) {
    case 'mmap':
      return { op, process, ...parseMmap(line, files) };
    case 'read':
    case 'write':
      return { op, process, at: line.number('a page', 0, ARENA_PAGES - 1) };
    case 'fork': {
      const child = line.process('the child');
      if (living.has(child)) throw line.wrong(`there is a process P${child} already`);
      return { op, process, child };
    }
    case 'exit':
      return { op, process };
    case 'munmap':
    case 'mlock':
    case 'munlock':
      return { op, process, ...line.range() };
    case 'mremap': {
      const from = line.range();
      const { at: to, pages: newPages } = line.range();
      return { op, process, ...from, to, newPages };
    }
    case 'mprotect':
      return { op, process, ...line.range(), prot: line.oneOf(PROTS) };
    case 'madvise':
      return { op, process, ...line.range(), advice: line.oneOf(ADVICE) };
    case 'msync':
      return { op, process, ...line.range(), mode: line.oneOf(MSYNC_MODES) };
    case 'truncate':
      return { op, process, file: fileNumber(line, files), pages: line.number('pages', 0, MAX_FILE_PAGES) };
  }
}

function fileNumber(line: Line, files: number): number {
  if (files === 0) throw line.wrong('the script has no file: expected "file 0 disk 16" before the first step');
  return line.number('a file', 0, files - 1);
}

function parseMmap(
  line: Line,
  files: number,
): { at: number; pages: number; prot: (typeof PROTS)[number]; shared: boolean; file: number | null; index: number } {
  const range = line.range();
  const prot = line.oneOf(PROTS);
  const shared = line.oneOf(['private', 'shared'] as const) === 'shared';
  if (!line.more) return { ...range, prot, shared, file: null, index: 0 };
  line.oneOf(['file'] as const);
  const file = fileNumber(line, files);
  line.oneOf(['from'] as const);
  return { ...range, prot, shared, file, index: line.number('a page of the file', 0, MAX_FILE_PAGES - 1) };
}
