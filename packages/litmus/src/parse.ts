// SPDX-License-Identifier: MIT
import type { Litmus, Thread } from './ast.js';
import { Cursor } from './cursor.js';
import { declaredResult } from './declared.js';
import { LitmusError, type Source } from './error.js';
import { endOfComment, Lexer } from './lexer.js';
import { finalSection } from './parse-condition.js';
import { initBlock } from './parse-init.js';
import { thread } from './parse-statement.js';

/** Words that end the threads. */
const FINAL: ReadonlySet<string> = new Set(['locations', 'filter', 'exists', 'forall', 'final', '~', 'not', '(']);

/** Reads a C litmus test. Throws {@link LitmusError} with the place of what is wrong and what was expected. */
export function parseLitmus(source: string, file = '<litmus>'): Litmus {
  const text = source.startsWith('\u{feff}') ? source.slice(1) : source;
  const from: Source = { file, text };
  const { name, init } = header(from);
  const cursor = new Cursor(from, new Lexer(from, init, positionOf(text, init)).tokens());
  const { initial, arrays } = initBlock(cursor);
  const lengths = new Map(arrays.map(({ name, length }) => [name, length]));
  const threads: Thread[] = [];
  while (cursor.peek().kind !== 'end' && !FINAL.has(cursor.peek().text))
    threads.push(thread(cursor, threads.length, lengths));
  if (threads.length === 0) cursor.fail('thread P0');
  for (const { place, at } of initial) {
    if ((place.thread ?? 0) >= threads.length) cursor.reject(`there is no thread P${place.thread}`, at);
  }
  return {
    source: from,
    name,
    declared: declaredResult(text),
    initial,
    arrays,
    threads,
    ...finalSection({ cursor, threads: threads.length, arrays: lengths }),
  };
}

/**
 * The first line, `C NAME`, and where the init block begins: at the first brace outside of comments and of a quoted text. What stands between (a
 * description, `Key=value` lines of the generators) is passed over.
 */
function header(source: Source): { name: string; init: number } {
  const { text } = source;
  let offset = afterBlank(text, 0);
  const lineEnd = (text.indexOf('\n', offset) + 1 || text.length + 1) - 1;
  const line = text.slice(offset, lineEnd).trimEnd();
  const first = /^(\w+)[ \t]+([^\s"{(][^"{]*?)[ \t]*(?:["{].*)?$/.exec(line);
  if (first === null || first[1] !== 'C') {
    const found = line === '' ? 'nothing' : `"${line.slice(0, 40).replace(/\p{C}/gu, ' ')}"`;
    const architecture = first !== null && /^[A-Z]/.test(first[1]) ? `: ${first[1]} is another language` : '';
    throw new LitmusError(
      source,
      positionOf(text, offset),
      `expected a first line "C NAME", found ${found}${architecture}`,
    );
  }
  offset += line.indexOf(first[2], first[1].length) + first[2].length;
  while (offset < text.length && text[offset] !== '{') {
    if (text.startsWith('(*', offset)) offset = commentEnd(source, offset);
    else if (text[offset] === '"') offset = text.indexOf('"', offset + 1) + 1 || offset + 1;
    else offset++;
  }
  if (offset >= text.length)
    throw new LitmusError(
      source,
      positionOf(text, text.length),
      'expected "{" before the initial values, found the end of the file',
    );
  return { name: first[2], init: offset };
}

function commentEnd(source: Source, offset: number): number {
  const end = endOfComment(source.text, offset);
  if (end < 0)
    throw new LitmusError(source, positionOf(source.text, offset), 'this comment is never closed: expected "*)"');
  return end;
}

/** Past spaces and comments. */
function afterBlank(text: string, from: number): number {
  let offset = from;
  for (;;) {
    if (/\s/.test(text[offset] ?? '')) offset++;
    else if (text.startsWith('(*', offset)) {
      const end = endOfComment(text, offset);
      if (end < 0) return offset;
      offset = end;
    } else return offset;
  }
}

function positionOf(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  return { line: before.split('\n').length, column: offset - before.lastIndexOf('\n') };
}
