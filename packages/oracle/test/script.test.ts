// SPDX-License-Identifier: GPL-2.0-only
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OPERATIONS } from '../src/grammar.js';
import { formatScript, hugeScripts, Living, parseScript, ScriptError, scripts } from '../src/index.js';

describe('a script as text', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(scripts(), (script) => {
        expect(parseScript(formatScript(script), 'text')).toEqual(script);
      }),
    );
  });

  it('is read as it was written, with huge pages too', () => {
    fc.assert(
      fc.property(hugeScripts(), (script) => {
        expect(script.steps.some((step) => step.op === 'madvise' && step.advice === 'huge')).toBe(true);
        expect(parseScript(formatScript(script), 'text')).toEqual(script);
      }),
    );
  });

  it('may have room for huge pages', () => {
    const text = 'arena huge\nfile 0 disk 4\nP0 mmap 1024+512 rw private\nP0 madvise 1024+512 huge\n';
    expect(formatScript(parseScript(text, 'text'))).toBe(text);
  });

  it('may have comments and empty lines', () => {
    const { steps } = parseScript('# first\n\nP0 mmap 0+2 rw shared # anonymous\n  P0 read 1\n', 'text');
    expect(steps).toEqual([
      { op: 'mmap', process: 0, at: 0, pages: 2, prot: 'rw', shared: true, file: null, index: 0 },
      { op: 'read', process: 0, at: 1 },
    ]);
  });

  it.each([
    ['P1 read 0', 'text:1: there is no process P1 here'],
    ['P0 exit\nP0 read 0', 'text:2: there is no process P0 here'],
    ['P0 fork P0', 'text:1: there is a process P0 already'],
    ['P4 read 0', 'text:1: expected a process, P0 to P3, got "P4"'],
    ['P0 read 64', 'text:1: expected a page, 0 to 63, got "64"'],
    ['P0 munmap 60+5', 'text:1: expected a range of pages such as 8+4 within the 64 that there are, got "60+5"'],
    ['P0 munmap 3+0', 'text:1: expected a range of pages such as 8+4 within the 64 that there are, got "3+0"'],
    ['P0 mmap 0+1 rw', 'text:1: expected private, shared after "P0 mmap 0+1 rw"'],
    [
      'P0 mmap 0+1 rw private file 0 from 0',
      'text:1: the script has no file: expected "file 0 disk 16" before the first step',
    ],
    ['P0 truncate 0 0', 'text:1: the script has no file: expected "file 0 disk 16" before the first step'],
    ['file 1 disk 16', 'text:1: expected the number of the next file, 0 to 0, got "1"'],
    ['P0 exit\nfile 0 disk 16', 'text:2: files come before the first step'],
    ['P0 exit now', 'text:1: expected nothing more, got "now"'],
    ['P0 madvise 0+4 huge', 'text:1: huge pages need more room: expected "arena huge" before everything else'],
    ['P0 exit\narena huge', 'text:2: the arena comes before everything else'],
    [
      'arena huge\nP0 munmap 1530+9',
      'text:2: expected a range of pages such as 8+4 within the 1536 that there are, got "1530+9"',
    ],
    ['P0 mremap 0+4 8+4 kept', 'text:1: expected dontunmap, got "kept"'],
    ['P0 mremap 0+4 8+0', 'text:1: expected a range of pages such as 8+4 within the 64 that there are, got "8+0"'],
    [
      'P0 frob',
      'text:1: expected mmap, read, write, fork, exit, munmap, mremap, remap-file-pages, mprotect, madvise, msync, mlock, munlock, swap-out, swapoff, swapon, contents, truncate, pread, pwrite, fsync, drop, punch, peek, poke, vm-read, vm-write, got "frob"',
    ],
  ])('%j is refused: %s', (text, message) => {
    expect(() => parseScript(text, 'text')).toThrow(
      new ScriptError('text', Number(message.split(':')[1]), message.replace(/^text:\d+: /, '')),
    );
  });
});

describe('generated scripts', () => {
  it('can be performed: only processes that live do something, and every file is used', () => {
    fc.assert(
      fc.property(scripts(), ({ files, steps }) => {
        const living = new Living();
        for (const step of steps) {
          expect(living.has(step.process)).toBe(true);
          if (step.op === 'fork') expect(living.has(step.child)).toBe(false);
          living.follow(step);
        }
        files.forEach((_, i) => void expect(steps.some((step) => 'file' in step && step.file === i)).toBe(true));
      }),
    );
  });

  it('have every step, and up to four processes', () => {
    const many = fc.sample(scripts(), { numRuns: 300, seed: 1 });
    const operations = new Set(many.flatMap(({ steps }) => steps.map(({ op }) => op)));
    expect([...operations].sort()).toEqual(Object.keys(OPERATIONS).sort());
    expect(Math.max(...many.flatMap(({ steps }) => steps.map(({ process }) => process)))).toBe(3);
  });
});
