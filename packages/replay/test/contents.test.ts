// SPDX-License-Identifier: GPL-2.0-only
import { KernelBug } from '@lockless/cpu';
import { contentOf } from '@lockless/pagecache';
import { describe, expect, it } from 'vitest';
import { Contents } from '../src/contents.js';

const INO = 5;
const PAGE = 3;
const at = (version: number) => ({ identity: contentOf(INO, PAGE), version });
const hex = (identity: number): string => (identity >>> 0).toString(16);
const ZEROES = { identity: 0, version: 0 };
const token = (n: number) => ({ identity: 0x40000000 | n, version: 1 });

/** The kind of the bug that was found, or null. */
function bug(check: () => void): string | null {
  try {
    check();
    return null;
  } catch (error) {
    if (error instanceof KernelBug) return error.kind;
    throw error;
  }
}

describe('Contents of files', () => {
  it('a read that begins after a write was over must not return an older version', () => {
    const contents = new Contents();
    const early = contents.moment();
    contents.fileWritten(INO, PAGE, 2);
    const late = contents.moment();
    expect(bug(() => contents.fileRead(INO, PAGE, at(1), late))).toBe('lost-data');
    expect(bug(() => contents.fileRead(INO, PAGE, at(1), early))).toBeNull();
    expect(bug(() => contents.fileRead(INO, PAGE, at(2), late))).toBeNull();
    expect(bug(() => contents.fileRead(INO, PAGE, at(3), late))).toBeNull(); // a write that is not over yet
    expect(contents.counts).toEqual({ fileReads: 4, anonymousReads: 0, wrong: 1 });
  });

  it('says which page, what it held and what was expected', () => {
    const contents = new Contents();
    expect(() => contents.fileRead(INO, PAGE, { identity: contentOf(INO, 4), version: 7 }, contents.moment())).toThrow(
      `page 3 of inode 5 reads as ${hex(contentOf(INO, 4))} version 7, expected ${hex(contentOf(INO, 3))} version 0 or later`,
    );
  });

  it('another page of the file, or of another file, is wrong whatever its version', () => {
    const contents = new Contents();
    for (const identity of [contentOf(INO, PAGE + 1), contentOf(INO + 1, PAGE), token(1).identity])
      expect(bug(() => contents.fileRead(INO, PAGE, { identity, version: 99 }, contents.moment()))).toBe('lost-data');
  });

  it('a page may read as zeroes until it is written, and again after the file was cut before it', () => {
    const contents = new Contents();
    expect(bug(() => contents.fileRead(INO, PAGE, ZEROES, contents.moment()))).toBeNull();
    contents.fileWritten(INO, PAGE, 1);
    expect(bug(() => contents.fileRead(INO, PAGE, ZEROES, contents.moment()))).toBe('lost-data');
    contents.fileTruncated(INO, PAGE + 1);
    expect(bug(() => contents.fileRead(INO, PAGE, ZEROES, contents.moment()))).toBe('lost-data');
    contents.fileTruncated(INO, PAGE);
    expect(bug(() => contents.fileRead(INO, PAGE, ZEROES, contents.moment()))).toBeNull();
  });

  it('two writes at once: the larger version counts, in whichever order they end', () => {
    const contents = new Contents();
    contents.fileWritten(INO, PAGE, 2);
    contents.fileWritten(INO, PAGE, 1);
    expect(bug(() => contents.fileRead(INO, PAGE, at(1), contents.moment()))).toBe('lost-data');
  });
});

describe('Contents of private memory', () => {
  const wrote = (contents: Contents, space: number, page: number, n: number): void =>
    contents.anonymousWrite(space, page, token(n), null)();
  const reads = (contents: Contents, space: number, page: number, seen: { identity: number; version: number }) =>
    bug(() => contents.anonymousRead(space, page, seen, contents.moment()));

  it('reads as zeroes, then as what was written last; an older datum is lost data', () => {
    const contents = new Contents();
    expect(reads(contents, 0, 9, ZEROES)).toBeNull();
    expect(reads(contents, 0, 9, token(1))).toBe('lost-data');
    wrote(contents, 0, 9, 1);
    wrote(contents, 0, 9, 2);
    expect(reads(contents, 0, 9, token(2))).toBeNull();
    expect(reads(contents, 0, 9, token(1))).toBe('lost-data');
    expect(reads(contents, 0, 9, ZEROES)).toBe('lost-data');
    expect(contents.counts.wrong).toBe(3);
  });

  it('beside the first write to a page of a private file mapping, others may still see the file', () => {
    const contents = new Contents();
    const end = contents.anonymousWrite(0, 9, token(1), { ino: INO, index: PAGE });
    expect(reads(contents, 0, 9, at(4))).toBeNull();
    expect(reads(contents, 0, 9, token(1))).toBeNull();
    expect(reads(contents, 0, 9, { ...at(4), identity: contentOf(INO, PAGE + 1) })).toBe('lost-data');
    end();
    expect(reads(contents, 0, 9, at(4))).toBe('lost-data');
  });

  it('beside a write, a read may find one word of before and the other of after', () => {
    const contents = new Contents();
    const end = contents.anonymousWrite(0, 9, token(1), null);
    expect(reads(contents, 0, 9, { identity: 0, version: 1 })).toBeNull();
    expect(reads(contents, 0, 9, { ...token(1), version: 0 })).toBeNull();
    end();
    expect(reads(contents, 0, 9, { identity: 0, version: 1 })).toBe('lost-data');
  });

  it('fork: the child has what the parent had, and each goes its own way', () => {
    const contents = new Contents();
    wrote(contents, 0, 9, 1);
    contents.fork(0, 1, contents.moment());
    expect(reads(contents, 1, 9, token(1))).toBeNull();
    wrote(contents, 0, 9, 2);
    wrote(contents, 1, 9, 3);
    expect([1, 2, 3].map((n) => reads(contents, 0, 9, token(n)))).toEqual(['lost-data', null, 'lost-data']);
    expect([1, 2, 3].map((n) => reads(contents, 1, 9, token(n)))).toEqual(['lost-data', 'lost-data', null]);
  });

  it('fork beside a write of another thread: the child may have either', () => {
    const contents = new Contents();
    wrote(contents, 0, 9, 1);
    const begun = contents.moment();
    wrote(contents, 0, 9, 2);
    contents.fork(0, 1, begun);
    expect([1, 2].map((n) => reads(contents, 1, 9, token(n)))).toEqual([null, null]);
    expect(reads(contents, 0, 9, token(1))).toBe('lost-data');
    expect(reads(contents, 1, 9, ZEROES)).toBe('lost-data');
  });

  it.each([1, 1000])('munmap of %i pages forgets: what is mapped there next begins with zeroes', (pages) => {
    const contents = new Contents();
    for (const page of [8, 9, 9 + pages]) wrote(contents, 0, page, page);
    contents.forget(0, 9, 9 + pages);
    expect(contents.isWritten(0, 9)).toBe(false);
    expect(reads(contents, 0, 9, ZEROES)).toBeNull();
    expect(reads(contents, 0, 9, token(9))).toBe('lost-data');
    for (const page of [8, 9 + pages]) expect(reads(contents, 0, page, token(page))).toBeNull();
  });

  it('mremap takes the data along, also when the places overlap', () => {
    const contents = new Contents();
    for (const page of [10, 11, 12]) wrote(contents, 0, page, page);
    contents.move(0, 10, 11, 3);
    for (const page of [11, 12, 13]) expect(reads(contents, 0, page, token(page - 1))).toBeNull();
    expect(contents.isWritten(0, 10)).toBe(false);
  });

  it('a buffer that the kernel filled is not judged, until the program writes to it', () => {
    const contents = new Contents();
    wrote(contents, 0, 9, 1);
    contents.buffer(0, 9, 10);
    expect(reads(contents, 0, 9, token(7))).toBeNull();
    const end = contents.anonymousWrite(0, 9, token(2), null);
    expect(reads(contents, 0, 9, token(7))).toBeNull();
    end();
    expect(reads(contents, 0, 9, token(7))).toBe('lost-data');
  });
});
