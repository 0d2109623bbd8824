// SPDX-License-Identifier: GPL-2.0-only

/** Words for what one thread of one instance returned. */
export const RESULT_WORDS = 96;

const NOTHING = 0;
const NUMBER = 1;
const TEXT = 2;
const BUG = 3;

/** How a thread's part of an instance ended. */
export type Ended = { readonly result: unknown } | { readonly bug: string };

/** Writes what a thread returned to where another thread reads it, behind a barrier. */
export function writeResult(words: Int32Array, at: number, ended: Ended): void {
  if ('result' in ended && typeof ended.result === 'number') {
    words[at] = NUMBER;
    words[at + 1] = ended.result;
  } else if ('result' in ended) writeText(words, at, TEXT, JSON.stringify(ended.result) ?? '');
  else writeText(words, at, BUG, ended.bug);
}

function writeText(words: Int32Array, at: number, kind: number, text: string): void {
  const length = Math.min(text.length, RESULT_WORDS - 2);
  words[at] = kind;
  words[at + 1] = length;
  for (let k = 0; k < length; k++) words[at + 2 + k] = text.charCodeAt(k);
}

export function readResult(words: Int32Array, at: number): Ended {
  switch (words[at]) {
    case NUMBER:
      return { result: words[at + 1] };
    case TEXT: {
      const text = readText(words, at);
      return { result: text === '' ? undefined : JSON.parse(text) };
    }
    case BUG:
      return { bug: readText(words, at) };
    default:
      return { bug: 'the thread did not end' };
  }
}

const readText = (words: Int32Array, at: number): string =>
  String.fromCharCode(...words.subarray(at + 2, at + 2 + words[at + 1]));

export const clearResult = (words: Int32Array, at: number): void => {
  words[at] = NOTHING;
};
